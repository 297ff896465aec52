//! `record export`: records as the text of a file.

use super::Exit;
use crate::{
    args::{Export, Format},
    client::{Client, Failure, Stream},
    print::{Output, visible},
};
use dnsplane_proto::pb::admin::{ExportPart, ExportRequest, ExportSummary, export_part::Part};
use serde_json::json;
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::{Builder, NamedTempFile};

pub(super) async fn export(socket: &Path, export: Export, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let file = export.file.filter(|file| file != Path::new("-"));
    let format = export.format.or_else(|| Format::of(file.as_deref()?)).unwrap_or(Format::Json);
    let request = ExportRequest { format: format.name().to_owned(), zone: export.zone.unwrap_or_default() };
    let parts = Client::connect(socket).await?.export_records(request).await?;
    let summary = match &file {
        Some(file) => into_file(parts, file).await?,
        None => copy(parts, |text| out.octets(text)).await?,
    };
    tell(&summary, file.as_deref(), out)?;
    Ok(if summary.left_out == 0 { Exit::Done } else { Exit::Partly })
}

/// What was left out goes to standard error, where it does not get into the file.
fn tell(summary: &ExportSummary, file: Option<&Path>, out: &mut Output<'_>) -> io::Result<()> {
    let ExportSummary { records, left_out, reasons } = summary;
    if *left_out > 0 {
        let mut stderr = io::stderr().lock();
        writeln!(
            stderr,
            "{left_out} of {} records cannot be said in this format and are left out:",
            records + left_out
        )?;
        for reason in reasons {
            writeln!(stderr, "  {}", visible(reason))?;
        }
        if *left_out > reasons.len() as u64 {
            writeln!(stderr, "  and {} more", left_out - reasons.len() as u64)?;
        }
    }
    match file {
        Some(_) if out.is_json() => out.json(&json!({"records": records, "left_out": left_out, "reasons": reasons})),
        Some(file) => out.line(&format!("{records} records written to {}", file.display())),
        None => Ok(()),
    }
}

/// Hands every piece on; the summary comes last, and a text without one is not whole.
async fn copy(
    mut parts: Stream<ExportPart>,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<ExportSummary, Failure> {
    while let Some(part) = parts.next().await? {
        match part.part {
            Some(Part::Text(text)) => write(&text)?,
            Some(Part::Summary(summary)) => return Ok(summary),
            None => {}
        }
    }
    Err(Failure::Refused("the server stopped before the end; what was written is not whole".to_owned()))
}

/// Either the old file is there or all of the new one.
async fn into_file(parts: Stream<ExportPart>, file: &Path) -> Result<ExportSummary, Failure> {
    let failed =
        |error| Failure::Refused(format!("cannot write {}: {error}; nothing was changed there", file.display()));
    // What a link points to is replaced, not the link.
    let path = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let old = fs::metadata(&path).ok();
    if old.as_ref().is_some_and(|old| !old.is_file() && !old.is_dir()) {
        let mut device = fs::OpenOptions::new().write(true).open(&path).map_err(failed)?;
        return copy(parts, |text| device.write_all(text)).await;
    }
    let mut new = aside(&path).map_err(failed)?;
    if let Some(old) = old {
        new.as_file().set_permissions(fs::Permissions::from_mode(old.permissions().mode() & 0o777)).map_err(failed)?;
    }
    let summary = copy(parts, |text| new.write_all(text)).await?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist(&path).map_err(|error| failed(error.error))?;
    fs::File::open(folder(&path)).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(summary)
}

/// A file beside the one that it will replace, with the permissions that new files get.
fn aside(path: &Path) -> io::Result<NamedTempFile> {
    let name = path.file_name().ok_or_else(|| io::Error::other("this is the name of a folder"))?;
    let beginning = format!(".{}.", name.to_string_lossy());
    Builder::new().prefix(&beginning).permissions(fs::Permissions::from_mode(0o666)).tempfile_in(folder(path))
}

fn folder(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}
