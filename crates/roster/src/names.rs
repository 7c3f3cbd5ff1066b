//! Names of several scripts with the ASCII spelling that usernames are made of. All of it is invented.

/// Native spelling and the one for addresses.
pub(crate) type Name = (&'static str, &'static str);

/// Names that go together.
pub(crate) struct Culture {
    /// How often it comes up.
    pub(crate) weight: usize,
    pub(crate) given: &'static [Name],
    pub(crate) family: &'static [Name],
}

const fn culture(weight: usize, given: &'static [Name], family: &'static [Name]) -> Culture {
    Culture { weight, given, family }
}

/// The ones of the demo: twenty people in which each comes up.
pub(crate) const FREQUENT: &[Culture] = &[
    culture(
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
    culture(
        3,
        &[("José", "jose"), ("Sofía", "sofia"), ("Begoña", "begona")],
        &[("Muñoz", "munoz"), ("García Márquez", "garciamarquez"), ("Ibáñez", "ibanez")],
    ),
    culture(
        2,
        &[("Jürgen", "juergen"), ("Zoé", "zoe"), ("Åsa", "asa")],
        &[("Straßer", "strasser"), ("Lefèvre", "lefevre"), ("Østergaard", "oestergaard")],
    ),
    culture(
        2,
        &[("Łukasz", "lukasz"), ("Nguyệt", "nguyet"), ("Đức", "duc")],
        &[("Woźniak", "wozniak"), ("Nguyễn", "nguyen"), ("Dvořák", "dvorak")],
    ),
    culture(1, &[("Олексій", "oleksii"), ("Ελένη", "eleni")], &[("Шевченко", "shevchenko"), ("Παπαδόπουλος", "papadopoulos")]),
    culture(1, &[("محمد", "mohammed"), ("ليلى", "layla")], &[("الخطيب", "alkhatib"), ("حسين", "hussein")]),
    culture(1, &[("प्रिया", "priya"), ("अर्जुन", "arjun")], &[("शर्मा", "sharma"), ("राय", "rai")]),
    culture(1, &[("さくら", "sakura"), ("翔太", "shota")], &[("佐藤", "sato"), ("髙橋", "takahashi")]),
];

/// More, for rosters that are to have everything: scripts without cases, from right to left, with
/// combining marks, decomposed, beyond the basic plane.
pub(crate) const RARE: &[Culture] = &[
    culture(
        3,
        &[("伟", "wei"), ("芳", "fang"), ("思雨", "siyu"), ("欣怡", "xinyi")],
        &[("王", "wang"), ("李", "li"), ("張", "zhang"), ("歐陽", "ouyang")],
    ),
    culture(2, &[("민준", "minjun"), ("서연", "seoyeon"), ("하은", "haeun")], &[("김", "kim"), ("이", "lee"), ("남궁", "namgung")]),
    culture(
        2,
        &[("İbrahim", "ibrahim"), ("Işıl", "isil"), ("Gülşah", "gulsah")],
        &[("Yılmaz", "yilmaz"), ("Öztürk", "ozturk"), ("Şahin", "sahin")],
    ),
    culture(1, &[("נועה", "noa"), ("יוסף", "yosef")], &[("כהן", "cohen"), ("לוי", "levi")]),
    culture(1, &[("สมชาย", "somchai"), ("น้ำฝน", "namfon")], &[("ศรีสุข", "srisuk"), ("วงศ์เจริญ", "wongcharoen")]),
    culture(1, &[("கார்த்திக்", "karthik"), ("মীনা", "mina")], &[("சுப்ரமணியம்", "subramaniam"), ("বন্দ্যোপাধ্যায়", "bandyopadhyay")]),
    culture(1, &[("አበበ", "abebe"), ("გიორგი", "giorgi")], &[("ተስፋዬ", "tesfaye"), ("Հակոբյան", "hakobyan")]),
    culture(
        2,
        &[("Seán", "sean"), ("D’Arcy", "darcy"), ("Kaʻiulani", "kaiulani"), ("Adébáyọ̀", "adebayo")],
        &[("Ní Dhomhnaill", "nidhomhnaill"), ("van der Berg", "vanderberg"), ("D'Souza", "dsouza"), ("Okọnkwọ", "okonkwo")],
    ),
    culture(1, &[("Zoe\u{308}", "zoe"), ("Rene\u{301}e", "renee")], &[("Nun\u{303}ez", "nunez"), ("\u{20bb7}野", "yoshino")]),
];
