//! What is kept from clients because the operator says so.

pub mod block_list;

pub use block_list::{BadList, BlockList};
