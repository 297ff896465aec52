use super::*;
use proptest::prelude::*;

const SESSION: u64 = 7;

fn batch(payloads: &[&str]) -> Batch {
    let mut batch = Batch::default();
    payloads.iter().for_each(|payload| batch.push(payload.as_bytes().to_vec()));
    batch
}

/// A folder with one segment holding two acknowledged batches.
fn written() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(folder.path(), SESSION, 1).unwrap();
    log.append(&batch(&["{\"a\":1}", "{\"b\":2}"])).unwrap();
    log.append(&batch(&["{\"c\":3}"])).unwrap();
    let path = folder.path().join(format!("log-{:020}", 1));
    (folder, path)
}

fn replay(folder: &Path) -> Result<(Vec<String>, u64), LogError> {
    let mut seen = Vec::new();
    let replayed = Log::replay(folder, SESSION, |_, payload| {
        seen.push(String::from_utf8_lossy(payload).into_owned());
        Ok::<(), LogError>(())
    })?;
    Ok((seen, replayed.map_or(0, |replayed| replayed.torn)))
}

#[test]
fn what_was_appended_is_replayed_over_all_segments() {
    let (folder, _) = written();
    let mut replayed = Log::replay(folder.path(), SESSION, |_, _| Ok::<(), LogError>(())).unwrap().unwrap();
    replayed.log.roll(4).unwrap();
    replayed.log.append(&batch(&["{\"d\":4}"])).unwrap();
    assert_eq!(replay(folder.path()).unwrap().0, ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}", "{\"d\":4}"]);
    Archive::new(folder.path(), SESSION).retire(4).unwrap();
    assert_eq!(replay(folder.path()).unwrap().0, ["{\"d\":4}"]);
}

#[test]
fn rolling_to_where_the_segment_begins_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(folder.path(), SESSION, 5).unwrap();
    log.append(&batch(&["{\"seen\":1}"])).unwrap();
    log.roll(5).unwrap();
    log.append(&batch(&["{\"seen\":2}"])).unwrap();
    assert_eq!(replay(folder.path()).unwrap().0, ["{\"seen\":1}", "{\"seen\":2}"]);
}

#[test]
fn a_torn_tail_is_cut_off_wherever_it_was_torn() {
    let (folder, path) = written();
    let whole = fs::read(&path).unwrap();
    let third = whole.len() - ENTRY_HEADER - "{\"c\":3}".len();
    for length in third..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (seen, torn) = replay(folder.path()).unwrap();
        assert_eq!((seen.len(), torn), (2, (length - third) as u64), "cut to {length}");
        assert_eq!(fs::metadata(&path).unwrap().len(), third as u64);
    }
}

#[test]
fn a_hole_in_an_unacknowledged_batch_is_a_torn_tail() {
    let (folder, path) = written();
    let mut bytes = fs::read(&path).unwrap();
    let durable = bytes.len();
    bytes.extend(batch(&["{\"x\":1}", "{\"y\":2}"]).encode(durable as u64));
    bytes[durable..durable + 10].fill(0);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(replay(folder.path()).unwrap().0.len(), 3);
}

#[test]
fn damage_to_what_was_acknowledged_is_refused_with_place_and_advice() {
    let (folder, path) = written();
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEADER as usize + ENTRY_HEADER + 2] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let sentence = replay(folder.path()).expect_err("damaged").to_string();
    assert!(sentence.contains("damaged at byte 28") && sentence.contains("backup"), "{sentence}");
    bytes[3] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(replay(folder.path()), Err(LogError::Damaged { at: 0, .. })));
}

#[test]
fn another_stores_log_is_refused() {
    let (folder, _) = written();
    let outcome = Log::replay(folder.path(), SESSION + 1, |_, _| Ok::<(), LogError>(()));
    assert!(matches!(outcome, Err(LogError::ForeignSession { .. })));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), keep in any::<bool>()) {
        let (folder, path) = written();
        let mut content = if keep { fs::read(&path).unwrap() } else { Vec::new() };
        content.extend(bytes);
        fs::write(&path, content).unwrap();
        let _ = replay(folder.path());
    }
}
