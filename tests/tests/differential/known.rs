//! Differences that are meant. Each says which paragraph we follow.

use crate::{
    kinds,
    verdict::{Case, Part},
};

/// A difference on purpose.
pub(crate) struct Known {
    /// What we do.
    pub(crate) what: &'static str,
    /// Why, and by which paragraph.
    #[expect(dead_code, reason = "for those who read the table")]
    pub(crate) why: &'static str,
    applies: fn(&Case<'_>, Part) -> bool,
}

/// All of them.
const TABLE: &[Known] = &[Known {
    what: "ANY gets one record set",
    why: "RFC 8482 §4.1",
    applies: |case, part| {
        let answers = |said: &Option<crate::reading::Said>| said.as_ref().map(|said| said.answer.clone()).unwrap_or_default();
        let (ours, theirs) = (answers(&case.ours), case.theirs.each_ref().map(answers));
        case.question.kind == kinds::ANY
            && part == Part::Answer
            && !ours.is_empty()
            && theirs.iter().any(|theirs| ours.iter().all(|record| theirs.contains(record)))
    },
}];

/// Why we may differ here, if we may.
pub(crate) fn explanation(case: &Case<'_>, part: Part) -> Option<&'static Known> {
    TABLE.iter().find(|known| (known.applies)(case, part))
}
