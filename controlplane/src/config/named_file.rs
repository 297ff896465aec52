//! Files that a key names and the control plane reads, so that data planes need not be able to.

use std::{fs::File, io::Read, path::Path};

/// Far above any file of certificates or keys.
const MOST_OCTETS: u64 = 4 << 20;

/// Its octets, or what is wrong with it; completes the sentence that begins with the key.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_OCTETS + 1).read_to_end(&mut octets))
        .map_err(|error| format!("names `{}`, which cannot be read: {error}", path.display()))?;
    if octets.len() as u64 > MOST_OCTETS {
        return Err(format!("names `{}`, which is larger than {} MiB", path.display(), MOST_OCTETS >> 20));
    }
    Ok(octets)
}
