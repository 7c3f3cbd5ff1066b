//! What a wrong word was most likely meant to be.

/// Longer words are not compared, which takes time by the product of lengths.
const WORD_BYTES_MAX: usize = 64;

/// Of these words the one that a wrong one is nearest to, if any is near: two letters left out, too many,
/// wrong or exchanged, and more than half of the word right. Case, blanks, hyphens and underscores do not count.
pub(crate) fn nearest<'w>(given: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    if given.len() > WORD_BYTES_MAX {
        return None;
    }
    let given = bare(given);
    words
        .map(|word| (strsim::damerau_levenshtein(&given, &bare(word)), word))
        .filter(|(distance, word)| *distance <= 2 && distance * 2 < word.chars().count())
        // Its opposite is the last thing that it was meant to be: inactive, active.
        .filter(|(_, word)| !["in", "un"].iter().any(|not| given.strip_prefix(not) == Some(&bare(word))))
        .min()
        .map(|(_, word)| word)
}

/// Letters left out, too many, wrong or exchanged between two words. Case, blanks, hyphens and underscores do not count.
pub(crate) fn distance(word: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(&bare(word), &bare(other))
}

/// Whether two words differ at most in case, blanks, hyphens and underscores.
pub(crate) fn alike(word: &str, other: &str) -> bool {
    word.len() <= WORD_BYTES_MAX && bare(word) == bare(other)
}

fn bare(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far() {
        let words = ["SIS ID", "School SIS ID", "teacher", "Student.csv", "StudentEnrollment.csv", "01", "kg"];
        let near = |given| nearest(given, words.into_iter());
        assert_eq!(near("SIS_ID"), Some("SIS ID"));
        assert_eq!(near("sisid"), Some("SIS ID"));
        assert_eq!(near("school-sis-id"), Some("School SIS ID"));
        assert_eq!(near("teahcer"), Some("teacher"));
        assert_eq!(near("Studnet.csv"), Some("Student.csv"));
        assert_eq!(near("wizard"), None);
        assert_eq!(near("99"), None, "nothing of a short word is right");
        assert_eq!(near(""), None);
        assert_eq!(nearest("inactive", ["active", "tobedeleted"].into_iter()), None, "the opposite");
        assert_eq!(near(&"x".repeat(1000)), None);
    }
}
