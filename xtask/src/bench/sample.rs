//! Samples, by case and peer, and what is said of them.

use std::collections::BTreeMap;

/// What one number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    MilliPerCpu,
    PerSecond,
    Mebibytes,
    PeakMebibytes,
    GigabytesPerSecond,
}

impl Unit {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::MilliPerCpu => "CPU ms",
            Self::PerSecond => "1/s",
            Self::Mebibytes => "MiB PSS",
            Self::PeakMebibytes => "MiB peak",
            Self::GigabytesPerSecond => "GB/s",
        }
    }
}

/// One row: the same thing, measured on several peers.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) peers: BTreeMap<String, Vec<f64>>,
}

/// All rows, in the order in which they were first measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) cases: Vec<Case>,
}

impl Table {
    pub(crate) fn add(&mut self, name: &'static str, unit: Unit, peer: &str, value: f64) {
        let index = self.cases.iter().position(|case| case.name == name).unwrap_or_else(|| {
            self.cases.push(Case { name, unit, peers: BTreeMap::new() });
            self.cases.len() - 1
        });
        self.cases[index].peers.entry(peer.to_owned()).or_default().push(value);
    }
}

/// Median and range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// `None` of no samples.
pub(crate) fn summary(samples: &[f64]) -> Option<Summary> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, most) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
    Some(Summary { median, least, most })
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn medians() {
        assert!(summary(&[]).is_none());
        let odd = summary(&[3.0, 1.0, 2.0]).expect("three samples");
        assert_eq!((odd.median, odd.least, odd.most), (2.0, 1.0, 3.0));
        assert_eq!(summary(&[4.0, 1.0, 2.0, 3.0]).expect("four samples").median, 2.5);
    }
}
