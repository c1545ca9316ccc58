//! Stacks that perf sampled, as a flame graph: the wider, the more of the time.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    io::{self, BufRead},
};

const WIDTH: f64 = 1200.0;
const ROW: f64 = 16.0;
/// Of a letter.
const LETTER: f64 = 6.1;
/// What takes less of the time is not drawn.
const LEAST: f64 = 0.003;
/// What every task is run by: that it is called by others tells nothing.
const OUTERMOST: &str = "worker::run";

/// Whose code it is, which decides the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Ours,
    Libraries,
    C,
    Kernel,
}

#[derive(Debug, Default)]
struct Frame {
    samples: usize,
    called: BTreeMap<(Origin, String), Frame>,
}

/// Samples, by what called what.
#[derive(Debug, Default)]
pub struct Flame {
    root: Frame,
    in_kernel: usize,
}

impl Flame {
    /// Reads what `perf script --fields ip,sym,dso` writes: a line a frame, innermost first, an empty one after each sample.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(script: impl BufRead) -> io::Result<Self> {
        let (mut flame, mut stack) = (Self::default(), Vec::new());
        for line in script.lines() {
            let line = line?;
            if line.trim().is_empty() {
                flame.add(&mut stack);
            } else if let Some((symbol, object)) = line.trim().rsplit_once(" (") {
                let symbol = symbol.split_once(' ').map_or(symbol, |(_address, symbol)| symbol);
                stack.push((origin(symbol, object), short(symbol)));
            }
        }
        flame.add(&mut stack);
        Ok(flame)
    }

    fn add(&mut self, stack: &mut Vec<(Origin, String)>) {
        let Some((innermost, _)) = stack.first() else {
            return;
        };
        self.in_kernel += usize::from(*innermost == Origin::Kernel);
        let end = stack.iter().position(|(_, name)| name == OUTERMOST);
        stack.truncate(end.map_or(stack.len(), |at| at + 1));
        let mut frame = &mut self.root;
        frame.samples += 1;
        for called in stack.drain(..).rev() {
            frame = frame.called.entry(called).or_default();
            frame.samples += 1;
        }
    }

    /// How many samples there are.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.root.samples
    }

    /// Which part of the time the kernel takes.
    #[must_use]
    pub fn kernel(&self) -> f64 {
        self.in_kernel as f64 / self.samples().max(1) as f64
    }

    /// Draws it.
    #[must_use]
    pub fn svg(&self, title: &str) -> String {
        let height = ROW * (depth(&self.root, self.least()) as f64 + 4.0);
        let (user, kernel) = (100.0 * (1.0 - self.kernel()), 100.0 * self.kernel());
        let samples = self.samples();
        let mut svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="10">
<style>text {{ fill: #1f2328 }} rect {{ stroke: #fff; stroke-width: .5 }} .o {{ fill: #f0883e }} .l {{ fill: #f2cc60 }} .c {{ fill: #b5d88f }} .k {{ fill: #9ec5f4 }}
@media (prefers-color-scheme: dark) {{ .t {{ fill: #e6edf3 }} rect {{ stroke: #0d1117 }} }}</style>
<text class="t" x="4" y="13" font-size="12">{}; user {user:.0} %, kernel {kernel:.0} %; {samples} samples</text>
"#,
            escaped(title),
        );
        let legend = [
            (Origin::Ours, "tower-socketio"),
            (Origin::Libraries, "libraries"),
            (Origin::C, "C"),
            (Origin::Kernel, "kernel"),
        ];
        for (column, (origin, name)) in (0_u8..).zip(legend) {
            let x = 4.0 + 110.0 * f64::from(column);
            let _ = writeln!(
                svg,
                r#"<rect class="{origin}" x="{x}" y="20" width="11" height="11"/><text class="t" x="{}" y="29">{name}</text>"#,
                x + 15.0
            );
        }
        self.draw(&mut svg, &self.root, 0.0, height - ROW);
        svg.push_str("</svg>\n");
        svg
    }

    fn least(&self) -> f64 {
        LEAST * self.samples() as f64
    }

    fn draw(&self, svg: &mut String, frame: &Frame, mut x: f64, y: f64) {
        for ((origin, name), called) in &frame.called {
            let part = called.samples as f64 / self.samples() as f64;
            let width = WIDTH * part;
            if part >= LEAST {
                let fits = ((width - 4.0) / LETTER).max(0.0).floor();
                let label: String = (0..)
                    .map(f64::from)
                    .zip(name.chars())
                    .take_while(|(at, _)| *at < fits)
                    .map(|(_, letter)| letter)
                    .collect();
                let _ = write!(
                    svg,
                    r#"<g><title>{}, {:.1} %</title><rect class="{origin}" x="{x:.1}" y="{y}" width="{width:.1}" height="{ROW}"/>"#,
                    escaped(name),
                    100.0 * part,
                );
                if label.len() > 2 {
                    let _ = write!(
                        svg,
                        r#"<text x="{:.1}" y="{}">{}</text>"#,
                        x + 2.0,
                        y + 12.0,
                        escaped(&label)
                    );
                }
                svg.push_str("</g>\n");
                self.draw(svg, called, x, y - ROW);
            }
            x += width;
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "o",
            Self::Libraries => "l",
            Self::C => "c",
            Self::Kernel => "k",
        })
    }
}

/// How many rows are drawn.
fn depth(frame: &Frame, least: f64) -> usize {
    let drawn = frame.called.values().filter(|called| called.samples as f64 >= least);
    drawn.map(|called| 1 + depth(called, least)).max().unwrap_or(0)
}

fn origin(symbol: &str, object: &str) -> Origin {
    if object.starts_with("[kernel") {
        Origin::Kernel
    } else if object.contains("/lib") || object.starts_with("[vdso") {
        Origin::C
    } else if symbol.contains("socketio") {
        Origin::Ours
    } else {
        Origin::Libraries
    }
}

/// A function with the type or module that it is of, without what they are generic over.
fn short(symbol: &str) -> String {
    let parts: Vec<_> = parts(symbol).into_iter().map(type_name).collect();
    let is_named = |part: &String| !part.starts_with('{');
    let kept = parts.iter().rposition(is_named).unwrap_or(0).saturating_sub(1);
    parts[kept..].join("::").replace("{{", "{").replace("}}", "}")
}

/// `T` of `<T as Trait>` and of `<impl Trait for T>`, `name` of `name<T>`: its last part.
fn type_name(part: &str) -> String {
    let Some(inner) = part.strip_prefix('<') else {
        return part.split('<').next().unwrap_or(part).into();
    };
    let inner = inner.strip_suffix('>').unwrap_or(inner);
    let inner = match inner.strip_prefix("impl ") {
        Some(implemented) => implemented.split_once(" for ").map_or(implemented, |(_, of)| of),
        None => inner.rsplit_once(" as ").map_or(inner, |(of, _)| of),
    };
    parts(inner).pop().map(type_name).unwrap_or_default()
}

/// What is between those `::` that are in no brackets.
fn parts(path: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    let bytes = path.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' if at == 0 || bytes[at - 1] != b'-' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && bytes.get(at + 1) == Some(&b':') => {
                parts.push(&path[start..at]);
                start = at + 2;
            }
            _ => {}
        }
    }
    parts.push(&path[start..]);
    parts
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short() {
        for (symbol, name) in [
            ("__send", "__send"),
            ("tower_socketio::socketio::codec::scan::Scan::string", "Scan::string"),
            (
                "<a::Carrier<IO,F> as core::future::future::Future>::poll",
                "Carrier::poll",
            ),
            ("a::handlers::<impl b::c::SocketClient>::run", "SocketClient::run"),
            ("a::<impl b::Trait for c::Socket>::show", "Socket::show"),
            ("<F as a::Handler<(A,B)>>::call::{{closure}}", "F::call::{closure}"),
            ("core::ptr::drop_in_place<fn() -> a::B>", "ptr::drop_in_place"),
        ] {
            assert_eq!(short(symbol), name);
        }
    }

    #[test]
    fn a_frame_is_as_wide_as_the_part_of_the_samples_that_it_is_in() {
        let line = |symbol: &str, object: &str| format!("\t  abc123 {symbol} ({object})\n");
        let outer = line("tokio::worker::run", "/x/server-axum") + &line("start_thread", "/usr/lib/libc.so.6");
        let ours = line("tower_socketio::a::Wire<IO>::read", "/x/server-axum") + &outer + "\n";
        let kernel = line("tcp_sendmsg", "[kernel.kallsyms]") + &outer + "\n";
        let flame = Flame::read((kernel + &ours.repeat(3)).as_bytes()).unwrap();
        assert_eq!(flame.samples(), 4);
        assert!((flame.kernel() - 0.25).abs() < 1e-9);
        let svg = flame.svg("a & b");
        assert!(svg.contains("a &amp; b; user 75 %, kernel 25 %; 4 samples"), "{svg}");
        for (name, class, x, width) in [
            ("worker::run, 100.0 %", "l", "0.0", "1200.0"),
            ("Wire::read, 75.0 %", "o", "0.0", "900.0"),
            ("tcp_sendmsg, 25.0 %", "k", "900.0", "300.0"),
        ] {
            let drawn = format!(r#"<title>{name}</title><rect class="{class}" x="{x}""#);
            let found = svg.lines().find(|line| line.contains(&drawn)).expect(name);
            assert!(found.contains(&format!(r#"width="{width}""#)), "{found}");
        }
        assert!(!svg.contains("start_thread"));
    }

    #[test]
    fn what_hardly_takes_time_is_left_out() {
        let sample = |symbol| format!("\t abc {symbol} (/x/server-axum)\n\n");
        let flame = Flame::read((sample("a::often").repeat(999) + &sample("a::rarely")).as_bytes()).unwrap();
        let svg = flame.svg("");
        assert!(svg.contains("often") && !svg.contains("rarely"));
    }
}
