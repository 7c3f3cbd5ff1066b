//! Invented people with usernames of their own.

use crate::names::FREQUENT;
use std::collections::BTreeSet;

/// Who somebody is.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) given: &'static str,
    pub(super) family: &'static str,
    /// Local part of the username; nobody else's.
    pub(super) login: String,
}

/// Invents people, always the same ones in the same order.
#[derive(Default)]
pub(super) struct Namer {
    total: usize,
    used: Vec<usize>,
    logins: BTreeSet<String>,
}

impl Namer {
    pub(super) fn next(&mut self, id: String) -> Person {
        // Steps of 7 through 20 places visit each place once and mix the cultures.
        let place = self.total * 7 % FREQUENT.iter().map(|culture| culture.weight).sum::<usize>();
        self.total += 1;
        let mut upto = 0;
        let index = FREQUENT
            .iter()
            .position(|culture| {
                upto += culture.weight;
                place < upto
            })
            .unwrap_or(0);
        self.used.resize(FREQUENT.len(), 0);
        let turn = self.used[index];
        self.used[index] += 1;
        let (givens, families) = (FREQUENT[index].given, FREQUENT[index].family);
        let given = givens[turn % givens.len()];
        let family = families[(turn + turn / givens.len()) % families.len()];
        let plain = format!("{}.{}", given.1, family.1);
        let mut login = plain.clone();
        let mut copy = 2;
        while !self.logins.insert(login.clone()) {
            login = format!("{plain}{copy}");
            copy += 1;
        }
        Person { id, given: given.0, family: family.0, login }
    }
}
