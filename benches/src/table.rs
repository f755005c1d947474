//! The table: a line a row of the goals, medians over the rounds, and notes under it.

use std::fmt::Write;

/// What a line has to reach.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// A further figure, without a goal.
    None,
}

/// A line of the table.
#[derive(Debug)]
pub struct Line {
    what: String,
    ours: String,
    baseline: String,
    ratio: String,
    goal: String,
    reached: &'static str,
}

/// All lines and notes so far.
#[derive(Debug, Default)]
pub struct Table {
    lines: Vec<Line>,
    notes: Vec<String>,
}

/// The middle one, or the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 1 => sorted[middle],
        (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// A number as people read it: three digits that count, thousands apart.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value.abs() < 100.0 {
        let digits = if value.abs() < 10.0 { 2 } else { 1 };
        return format!("{value:.digits$}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Goal {
    fn judge(self, value: f64, sign: &str) -> (String, &'static str) {
        let verdict = |reached| if reached { "yes" } else { "no" };
        match self {
            Self::AtLeast(least) => (format!("≥ {}{sign}", figure(least)), verdict(value >= least)),
            Self::AtMost(most) => (format!("≤ {}{sign}", figure(most)), verdict(value <= most)),
            Self::None => ("–".to_owned(), "–"),
        }
    }
}

impl Table {
    /// A line whose goal is a ratio: the median of the rounds' ratios counts.
    pub fn ratio(&mut self, what: &str, unit: &str, ours: &[f64], base: &[f64], goal: Goal) {
        let ratios: Vec<_> = ours.iter().zip(base).map(|(ours, base)| ours / base).collect();
        let ratio = median(&ratios);
        let (goal, reached) = goal.judge(ratio, "×");
        self.lines.push(Line {
            what: what.to_owned(),
            ours: format!("{} {unit}", figure(median(ours))),
            baseline: format!("{} {unit}", figure(median(base))),
            ratio: format!("{}×", figure(ratio)),
            goal,
            reached,
        });
        let spread: Vec<_> = ratios.iter().map(|ratio| figure(*ratio)).collect();
        self.note(format!("{what}: ratio a round {}", spread.join(", ")));
    }

    /// A line whose goal is a figure of its own, with what others reached as a reference.
    pub fn value(&mut self, what: &str, unit: &str, ours: &[f64], reference: &str, goal: Goal) {
        let value = median(ours);
        let (goal, reached) = goal.judge(value, "");
        self.lines.push(Line {
            what: what.to_owned(),
            ours: format!("{} {unit}", figure(value)),
            baseline: reference.to_owned(),
            ratio: "–".to_owned(),
            goal,
            reached,
        });
    }

    /// Says something under the table, and at once to whoever waits.
    pub fn note(&mut self, note: String) {
        eprintln!("  {note}");
        self.notes.push(note);
    }

    /// The table as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| what | ours | measured against | ratio | goal | reached |\n|---|---|---|---|---|---|\n",
        );
        for line in &self.lines {
            let Line { what, ours, baseline, ratio, goal, reached } = line;
            let _ =
                writeln!(text, "| {what} | {ours} | {baseline} | {ratio} | {goal} | {reached} |");
        }
        text.push('\n');
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }
}
