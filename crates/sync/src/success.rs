//! How well each matching rule does. A rule that finds hardly anybody is wrong far more often than all of these people are
//! without an account, and no single one of them shows it.

use crate::matching::Claim;
use crate::spec::{MatchRule, MatchTarget, SourceIdentifier};
use roster::segment::Record;
use roster::{Entity, Finding};

/// A rule that finds less than one in so many of the people that it is for is told …
const ONE_IN: u64 = 10;
/// … where it is for so many; of fewer people that says nothing, unless nobody at all was found in the source.
const PEOPLE_MIN: u64 = 10;

/// People that a rule is for.
#[derive(Debug, Clone, Default)]
struct Count {
    people: u64,
    found: u64,
    /// Key of the first one without an account.
    first: Option<String>,
}

/// What the rules of a source have found.
pub(crate) struct Success<'r> {
    rules: &'r [MatchRule],
    /// By rule; the last one is for those without.
    counts: Vec<Count>,
}

impl<'r> Success<'r> {
    /// Before anybody was looked for.
    pub(crate) fn of(rules: &'r [MatchRule]) -> Self {
        Self { rules, counts: vec![Count::default(); rules.len() + 1] }
    }

    /// Somebody was looked for. Who shares an account with others was found all the same.
    pub(crate) fn count(&mut self, person: Record<'_>, rule: Option<&MatchRule>, claim: Claim) {
        let index = rule.and_then(|rule| self.rules.iter().position(|one| std::ptr::eq(one, rule)));
        let Some(count) = self.counts.get_mut(index.unwrap_or(self.rules.len())) else { return };
        count.people += 1;
        if claim == Claim::Nobody {
            count.first.get_or_insert_with(|| person.key_text().to_owned());
        } else {
            count.found += 1;
        }
    }

    /// What is to be said about the rules; `is_empty` when the directory has no accounts.
    pub(crate) fn findings(&self, is_empty: bool) -> Vec<Finding> {
        let nobody = self.counts.iter().all(|count| count.found == 0);
        let is_few = |count: &Count| count.found * ONE_IN < count.people;
        let told = self.counts.iter().enumerate().filter(|(_, count)| is_few(count));
        let finding = |(index, count): (usize, &Count)| match self.rules.get(index) {
            Some(rule) => (nobody || count.people >= PEOPLE_MIN).then(|| finds_nobody(rule, count, is_empty)),
            // Where others have their accounts, leaving a role group out is a decision.
            None => nobody.then(|| missing(count)),
        };
        told.filter_map(finding).collect()
    }
}

fn missing(count: &Count) -> Finding {
    let message = format!("{} people have roles that no matching rule is for, so that no accounts were looked for.", count.people);
    finding("MatchingRuleMissing", count, message)
}

fn finds_nobody(rule: &MatchRule, count: &Count, is_empty: bool) -> Finding {
    let Count { people, found, .. } = count;
    let few = if *found == 0 { "none".to_owned() } else { format!("only {found}") };
    let target = match rule.target {
        MatchTarget::UserPrincipalName => "userPrincipalName",
        MatchTarget::Mail => "mail",
    };
    let source = match rule.source {
        SourceIdentifier::Username => "username",
        SourceIdentifier::Email => "email",
        SourceIdentifier::ActiveDirectoryMatchId => "activeDirectoryMatchId",
        SourceIdentifier::SourcedId => "sourcedId",
        SourceIdentifier::UserNumber => "userNumber",
    };
    let domain = rule.domain.as_deref().map_or_else(String::new, |domain| format!("@{}", domain.trim_start_matches('@')));
    let message = format!("The rule for '{}' ({source}{domain} = {target}) found {few} of {people} people.", rule.role_group);
    let finding = finding("MatchingRuleFindsNobody", count, message);
    if is_empty { finding.hint("The directory has no accounts yet: make them first.") } else { finding }
}

fn finding(code: &'static str, count: &Count, message: String) -> Finding {
    Finding { key: count.first.clone(), ..Finding::of_file(code, Entity::User.file(), message) }
}
