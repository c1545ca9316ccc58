/// Figures, printed as they come.
#[derive(Debug)]
pub struct Table {
    good: bool,
}

impl Table {
    /// Prints what the columns are.
    pub fn new(title: &str) -> Self {
        println!("{title:<62} {:>10} {:>10}", "measured", "limit");
        Self { good: true }
    }

    /// Prints a figure, and its limit where it has one.
    pub fn row(&mut self, figure: &str, measured: f64, limit: impl Into<Option<f64>>) {
        let limit = limit.into();
        let good = limit.is_none_or(|limit| measured <= limit);
        let verdict = if good { "" } else { "  EXCEEDED" };
        let limit = limit.map_or("-".to_owned(), |limit| format!("{limit:.2}"));
        println!("{figure:<62} {measured:>10.2} {limit:>10}{verdict}");
        self.good &= good;
    }

    /// Whether no limit was exceeded.
    pub fn is_good(&self) -> bool {
        self.good
    }
}
