//! Names that are not ours, asked for at a data plane whose upstreams follow scripts: whatever they do, the client has the right
//! answer in time, or is told in time that there is none.

mod claims;
mod node;
mod trouble;
