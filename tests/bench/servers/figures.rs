//! What several rounds against several servers measured, and how each compares with another.

use super::{
    dnsperf::Report,
    table::{Table, median, spread},
};

/// Our own name in the tables.
pub(crate) const OURS: &str = "dnsplane";
/// The name of the floor.
pub(crate) const FLOOR: &str = "echo";
/// Stands for the largest figure that a server which is neither ours nor the floor has in a round.
pub(crate) const BEST: &str = "the best other";

/// One run against one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) report: Report,
    /// Processor time of the server for each answer, µs.
    pub(crate) cost: f64,
}

/// A server with its rounds.
pub(crate) type Row = (&'static str, Vec<Sample>);

/// All servers.
pub(crate) struct Figures(pub(crate) Vec<Row>);

impl Figures {
    /// A server's figure relative to another's, in each round.
    pub(crate) fn ratios(&self, name: &str, other: &str, of: fn(&Sample) -> f64) -> Vec<f64> {
        let [own, other] = [name, other].map(|name| self.of(name, of));
        own.into_iter().zip(other).map(|(own, other)| own / other).collect()
    }

    /// The median of our ratios to another.
    pub(crate) fn ours(&self, other: &str, of: fn(&Sample) -> f64) -> f64 {
        median(self.ratios(OURS, other, of))
    }

    /// One row for each server: processor time relative to each of `costs`, answers relative to each of `rates`.
    pub(crate) fn print(&self, costs: &[&str], rates: &[&str]) {
        let mut heads = vec!["server".to_owned(), "queries/s".to_owned(), "CPU µs per answer".to_owned()];
        heads.extend(costs.iter().map(|name| format!("CPU ÷ {name}")));
        heads.extend(rates.iter().map(|name| format!("queries/s ÷ {name}")));
        heads.extend(["lost", "mean latency, ms", "octets per reply"].map(str::to_owned));
        let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
        for (name, rounds) in &self.0 {
            let figure = |of: fn(&Sample) -> f64| median(rounds.iter().map(of));
            let mut row = vec![name.to_string(), format!("{:.0} k", figure(rate) / 1e3), format!("{:.2}", figure(cpu))];
            row.extend(costs.iter().map(|other| spread(&self.ratios(name, other, cpu))));
            row.extend(rates.iter().map(|other| spread(&self.ratios(name, other, rate))));
            row.push(rounds.iter().map(|sample| sample.report.lost).sum::<u64>().to_string());
            row.push(format!("{:.2}", figure(|sample| sample.report.latency.as_secs_f64() * 1e3)));
            row.push(format!("{:.0}", figure(|sample| sample.report.reply_octets as f64)));
            table.row(row);
        }
        table.print();
    }

    /// What a server, or the best of those that are not ours, had in each round.
    fn of(&self, name: &str, figure: fn(&Sample) -> f64) -> Vec<f64> {
        let counts = |row: &&Row| if name == BEST { ![FLOOR, OURS].contains(&row.0) } else { row.0 == name };
        let chosen: Vec<_> = self.0.iter().filter(counts).map(|(_, rounds)| rounds).collect();
        assert!(!chosen.is_empty(), "{name} is not measured");
        let best = |round: usize| chosen.iter().map(|rounds| figure(&rounds[round])).fold(f64::NEG_INFINITY, f64::max);
        (0..chosen[0].len()).map(best).collect()
    }
}

/// Processor time for each answer.
pub(crate) fn cpu(sample: &Sample) -> f64 {
    sample.cost
}

/// Answers in a second.
pub(crate) fn rate(sample: &Sample) -> f64 {
    sample.report.per_second
}
