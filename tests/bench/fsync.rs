//! What it costs on this disk to be sure: the floor under every acknowledged write.

use crate::spread::Spread;
use std::{
    fs::File,
    io::{Seek, Write},
    time::Instant,
};

const TIMES: usize = 500;
/// About what a change log entry takes.
const ENTRY: [u8; 256] = [7; 256];

pub(crate) fn run() {
    println!("fsync: write {} octets and fdatasync, below {}", ENTRY.len(), std::env::temp_dir().display());
    println!("  at the end of a growing file  {}", measure(0));
    println!("  into space written before     {}\n", measure(TIMES * ENTRY.len()));
}

/// Writes one entry after another to a file that begins with this many zeros.
fn measure(prepared: usize) -> Spread {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut file = File::create(dir.path().join("log")).expect("a file");
    file.write_all(&vec![0; prepared]).and_then(|()| file.sync_all()).expect("the disk takes it");
    file.rewind().expect("a file can be rewound");
    let mut spread = Spread::default();
    for _ in 0..TIMES {
        let start = Instant::now();
        file.write_all(&ENTRY).expect("the disk takes it");
        file.sync_data().expect("the disk has it");
        spread.push(start.elapsed());
    }
    spread
}
