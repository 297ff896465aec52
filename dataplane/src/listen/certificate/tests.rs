use super::*;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A certificate for `name` and its key, PEM.
fn pair(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A folder with a pair in it, and its looks.
struct Watched {
    folder: TempDir,
    files: Files,
    look: Look,
    state: State,
}

impl Watched {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Files { certificate: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
        Self { folder, files, look: Look::default(), state: State::default() }
    }

    fn write(&self, certificate: &str, key: &str) {
        fs::write(&self.files.certificate, certificate).unwrap();
        fs::write(&self.files.key, key).unwrap();
    }

    /// One more look: which certificate is in use, and what is wrong.
    fn look(&mut self) -> (Option<Vec<u8>>, Option<String>) {
        self.state = self.look.at(&self.files, self.files.read(), self.state.clone());
        let folder = self.folder.path().to_str().unwrap();
        let fault = self.state.fault.as_ref().map(|fault| fault.replace(folder, "."));
        (self.state.pair.as_ref().map(|pair| pair.cert[0].to_vec()), fault)
    }
}

fn der(pem: &str) -> Option<Vec<u8>> {
    Some(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec())
}

#[test]
fn a_new_pair_is_used_at_the_next_look_however_it_came() {
    let mut watched = Watched::new();
    let pairs = ["a", "b", "c"].map(pair);
    watched.write(&pairs[0].0, &pairs[0].1);
    assert_eq!(watched.look(), (der(&pairs[0].0), None));
    // Renamed over.
    let aside = watched.folder.path().join("aside");
    for (file, text) in [(&watched.files.certificate, &pairs[1].0), (&watched.files.key, &pairs[1].1)] {
        fs::write(&aside, text).unwrap();
        fs::rename(&aside, file).unwrap();
    }
    assert_eq!(watched.look(), (der(&pairs[1].0), None));
    // A link that leads elsewhere, to files that are as old as those before.
    for (name, file, text) in
        [("3.chain", &watched.files.certificate, &pairs[2].0), ("3.key", &watched.files.key, &pairs[2].1)]
    {
        let written = fs::metadata(file).unwrap().modified().unwrap();
        let new = watched.folder.path().join(name);
        fs::write(&new, text).unwrap();
        fs::File::options().write(true).open(&new).unwrap().set_modified(written).unwrap();
        fs::remove_file(file).unwrap();
        symlink(&new, file).unwrap();
    }
    assert_eq!(watched.look(), (der(&pairs[2].0), None));
}

#[test]
fn a_pair_that_cannot_be_used_is_refused_and_the_one_before_goes_on() {
    let mut watched = Watched::new();
    let (first, second) = (pair("a"), pair("b"));
    watched.write(&first.0, &first.1);
    watched.look();
    // Half of a renewal: told only if it stays like this.
    fs::write(&watched.files.certificate, &second.0).unwrap();
    assert_eq!(watched.look(), (der(&first.0), None));
    let fault = "the key in `./key.pem` does not belong to the certificate in `./chain.pem`";
    assert_eq!(watched.look(), (der(&first.0), Some(fault.to_owned())));
    fs::write(&watched.files.key, &second.1).unwrap();
    assert_eq!(watched.look(), (der(&second.0), None));
}

#[test]
fn what_is_wrong_is_said_with_the_file() {
    let (certificate, key) = pair("a");
    let cut = &certificate[..certificate.len() / 2];
    for (certificate, key, fault) in [
        (None, Some(&*key), "cannot read certificate file `./chain.pem`: there is no such file"),
        (Some(&*certificate), None, "cannot read key file `./key.pem`: there is no such file"),
        (Some(""), Some(&*key), "certificate file `./chain.pem` holds no certificate in PEM form"),
        (Some(&*certificate), Some("x"), "key file `./key.pem` holds no key in PEM form"),
        (Some(&*certificate), Some(&*certificate), "key file `./key.pem` holds no key in PEM form"),
        (Some(cut), Some(&*key), "certificate file `./chain.pem` is damaged"),
    ] {
        let mut watched = Watched::new();
        for (file, text) in [(&watched.files.certificate, certificate), (&watched.files.key, key)] {
            if let Some(text) = text {
                fs::write(file, text).unwrap();
            }
        }
        let (used, said) = watched.look();
        assert!(used.is_none() && said.as_ref().is_some_and(|said| said.starts_with(fault)), "{fault}: {said:?}");
    }
    let mut watched = Watched::new();
    watched.write(&certificate, &key);
    watched.files.key = "/dev/zero".into();
    assert!(watched.look().1.is_some_and(|fault| fault.ends_with("it is not a regular file")));
}
