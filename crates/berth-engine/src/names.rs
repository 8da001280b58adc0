//! Names for containers that were given none: an adjective and a scientist.

const ADJECTIVES: [&str; 64] = [
    "able", "agile", "alert", "amber", "ample", "apt", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid",
    "careful", "cheerful", "civil", "clear", "clever", "coastal", "cosy", "curious", "daring", "deft", "eager",
    "earnest", "easy", "fair", "fleet", "frank", "fresh", "gentle", "glad", "golden", "handy", "hardy", "hearty",
    "honest", "humble", "jolly", "keen", "kind", "lively", "lucid", "lucky", "mellow", "merry", "mighty", "neat",
    "nimble", "noble", "patient", "placid", "plucky", "polite", "proud", "quiet", "ready", "serene", "sincere",
    "steady", "sunny", "swift", "tidy", "wise",
];

const SCIENTISTS: [&str; 96] = [
    "abel",
    "alhazen",
    "ampere",
    "anning",
    "archimedes",
    "aryabhata",
    "avogadro",
    "babbage",
    "banneker",
    "bassi",
    "bell",
    "bernoulli",
    "blackwell",
    "bohr",
    "boltzmann",
    "boole",
    "bose",
    "boyle",
    "brahe",
    "cannon",
    "carson",
    "cauchy",
    "cavendish",
    "chandra",
    "chatelet",
    "copernicus",
    "curie",
    "dalton",
    "darwin",
    "descartes",
    "dirac",
    "doppler",
    "einstein",
    "elion",
    "euclid",
    "euler",
    "fahrenheit",
    "faraday",
    "fermat",
    "fermi",
    "feynman",
    "fourier",
    "franklin",
    "galileo",
    "galois",
    "gauss",
    "germain",
    "goedel",
    "goodall",
    "hamilton",
    "heisenberg",
    "hertz",
    "hilbert",
    "hodgkin",
    "hooke",
    "hopper",
    "hubble",
    "huygens",
    "hypatia",
    "johnson",
    "joule",
    "kelvin",
    "kepler",
    "khwarizmi",
    "kovalevskaya",
    "lagrange",
    "lamarr",
    "laplace",
    "leavitt",
    "leibniz",
    "linnaeus",
    "lorentz",
    "lovelace",
    "maxwell",
    "mcclintock",
    "meitner",
    "mendel",
    "mendeleev",
    "mirzakhani",
    "newton",
    "noether",
    "ohm",
    "pascal",
    "pasteur",
    "planck",
    "poincare",
    "ramanujan",
    "riemann",
    "rubin",
    "rutherford",
    "sagan",
    "shannon",
    "somerville",
    "tesla",
    "turing",
    "wu",
];

/// A random name; from the `attempt`-th on, with a number, so that some attempt succeeds.
pub(crate) fn random(attempt: u32) -> String {
    let number = getrandom::u32().unwrap_or(attempt) as usize;
    let adjective = ADJECTIVES[number % ADJECTIVES.len()];
    let scientist = SCIENTISTS[(number / ADJECTIVES.len()) % SCIENTISTS.len()];
    match attempt {
        0..4 => format!("{adjective}_{scientist}"),
        _ => format!("{adjective}_{scientist}{}", number % 1000),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_names() {
        for attempt in 0..200 {
            let name = super::random(attempt % 8);
            assert_eq!(crate::id::parse_name(&name).ok().as_deref(), Some(name.as_str()));
        }
    }
}
