//! Invented people: names of several scripts with the ASCII spelling that their usernames use.

use std::collections::BTreeSet;

/// Native spelling and the one for addresses.
type Name = (&'static str, &'static str);

/// How often a culture comes up in twenty people, given names, family names.
type Culture = (usize, &'static [Name], &'static [Name]);

const CULTURES: &[Culture] = &[
    (
        9,
        &[
            ("Emma", "emma"),
            ("Noah", "noah"),
            ("Olivia", "olivia"),
            ("Liam", "liam"),
            ("Grace", "grace"),
            ("Owen", "owen"),
            ("Ruby", "ruby"),
            ("Henry", "henry"),
            ("Chloe", "chloe"),
            ("Mary-Kate", "mary-kate"),
        ],
        &[
            ("Baker", "baker"),
            ("Carter", "carter"),
            ("O'Brien", "obrien"),
            ("Reed", "reed"),
            ("Smith-Jones", "smith-jones"),
            ("Turner", "turner"),
            ("Walker", "walker"),
        ],
    ),
    (
        3,
        &[("José", "jose"), ("Sofía", "sofia"), ("Begoña", "begona")],
        &[("Muñoz", "munoz"), ("García Márquez", "garciamarquez"), ("Ibáñez", "ibanez")],
    ),
    (
        2,
        &[("Jürgen", "juergen"), ("Zoé", "zoe"), ("Åsa", "asa")],
        &[("Straßer", "strasser"), ("Lefèvre", "lefevre"), ("Østergaard", "oestergaard")],
    ),
    (
        2,
        &[("Łukasz", "lukasz"), ("Nguyệt", "nguyet"), ("Đức", "duc")],
        &[("Woźniak", "wozniak"), ("Nguyễn", "nguyen"), ("Dvořák", "dvorak")],
    ),
    (1, &[("Олексій", "oleksii"), ("Ελένη", "eleni")], &[("Шевченко", "shevchenko"), ("Παπαδόπουλος", "papadopoulos")]),
    (1, &[("محمد", "mohammed"), ("ليلى", "layla")], &[("الخطيب", "alkhatib"), ("حسين", "hussein")]),
    (1, &[("प्रिया", "priya"), ("अर्जुन", "arjun")], &[("शर्मा", "sharma"), ("राय", "rai")]),
    (1, &[("さくら", "sakura"), ("翔太", "shota")], &[("佐藤", "sato"), ("髙橋", "takahashi")]),
];

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
        let place = self.total * 7 % CULTURES.iter().map(|c| c.0).sum::<usize>();
        self.total += 1;
        let mut upto = 0;
        let index = CULTURES
            .iter()
            .position(|culture| {
                upto += culture.0;
                place < upto
            })
            .unwrap_or(0);
        self.used.resize(CULTURES.len(), 0);
        let turn = self.used[index];
        self.used[index] += 1;
        let (_, givens, families) = CULTURES[index];
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
