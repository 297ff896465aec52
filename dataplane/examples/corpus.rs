//! The inputs that the fuzzer and the tests share; `dataplane/fuzz/run` calls this.
//!
//! `corpus unpack TARGET FOLDER` writes the kept inputs of a target, and those to begin with, as files of their own;
//! `corpus pack TARGET FOLDER` keeps the files of a folder, one line of hexadecimal each.

#[path = "../tests/hostile/mod.rs"]
mod hostile;

use hostile::TARGETS;
use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [deed, target, folder] = &arguments[..] else { return Err("usage: corpus unpack|pack TARGET FOLDER".into()) };
    let (_, _, seeds) = TARGETS.iter().find(|(name, ..)| name == target).ok_or("there is no such target")?;
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target).with_extension("hex");
    match &deed[..] {
        "unpack" => {
            let text = fs::read_to_string(&kept).unwrap_or_default();
            let inputs = text.lines().map(read).collect::<Result<Vec<_>, _>>()?;
            fs::create_dir_all(folder)?;
            for (number, input) in inputs.into_iter().chain(seeds()).enumerate() {
                fs::write(Path::new(folder).join(format!("kept-{number}")), input)?;
            }
        }
        "pack" => {
            let mut lines = Vec::new();
            for entry in fs::read_dir(folder)? {
                let input = fs::read(entry?.path())?;
                lines.push(input.iter().map(|octet| format!("{octet:02x}")).collect::<String>() + "\n");
            }
            lines.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
            fs::create_dir_all(kept.with_file_name(""))?;
            fs::write(kept, lines.concat())?;
        }
        other => return Err(format!("no such deed: {other}").into()),
    }
    Ok(())
}

fn read(line: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    line.as_bytes().chunks(2).map(|digits| Ok(u8::from_str_radix(str::from_utf8(digits)?, 16)?)).collect()
}
