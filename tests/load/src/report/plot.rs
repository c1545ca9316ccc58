//! The plot: bars of what an operation costs each server, as often as socketioxide.

use std::fmt::Write as _;

use crate::{
    catalogue::{OURS, REFERENCE},
    rounds::Measured,
};

const WIDTH: f64 = 760.0;
/// Where bars begin, and how long one is that costs as much as the reference.
const LEFT: f64 = 150.0;
const UNIT: f64 = 200.0;
/// Longer bars are cut.
const MOST: f64 = 2.5;
const ROW: f64 = 18.0;

/// It has a ground of its own: a page may be dark where the system is light.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#333;stroke:#fff;stroke-width:4px;paint-order:stroke}.ground{fill:#fff}.title{font-weight:600}.other{fill:#9a9a9a}\
    .ours{fill:#2f81f7}.line{stroke:#888;stroke-dasharray:3 3}\
    @media(prefers-color-scheme:dark){text{fill:#ddd;stroke:#0d1117}.ground{fill:#0d1117}}";

pub(super) fn svg(measured: &[Measured]) -> String {
    let (mut rows, mut y) = (String::new(), 26.0);
    for measured in measured
        .iter()
        .filter(|measured| !measured.scenario.name.starts_with("scale-"))
    {
        let ratios = measured.series.iter().filter(|series| series.server != REFERENCE);
        let ratios: Vec<_> = ratios
            .filter_map(|series| Some((series.server, measured.ratio_to_reference(series.server)?.median)))
            .collect();
        if ratios.is_empty() {
            continue;
        }
        let first = measured.figures().first().copied().unwrap_or_default();
        y += ROW;
        let _ = writeln!(
            rows,
            r#"<text class="title" x="10" y="{y}">{}: {first}</text>"#,
            measured.scenario.name
        );
        let (top, bottom) = (y + 5.0, y + 5.0 + ROW * ratios.len() as f64);
        let one = LEFT + UNIT;
        let _ = writeln!(
            rows,
            r#"<line class="line" x1="{one}" x2="{one}" y1="{top}" y2="{bottom}"/>"#
        );
        for (server, ratio) in ratios {
            y += ROW;
            let (length, end) = (ratio.min(MOST) * UNIT, LEFT + ratio.min(MOST) * UNIT + 6.0);
            let class = if matches!(server, OURS | "actix-web" | "warp") {
                "ours"
            } else {
                "other"
            };
            let _ = writeln!(
                rows,
                r#"<text x="{}" y="{y}" text-anchor="end">{server}</text><rect class="{class}" x="{LEFT}" y="{}" width="{length:.1}" height="12"/><text x="{end:.1}" y="{y}">{ratio:.2}</text>"#,
                LEFT - 8.0,
                y - 10.0,
            );
        }
        y += ROW / 2.0;
    }
    let height = y + ROW;
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">
<style>{STYLE}</style>
<rect class="ground" width="100%" height="100%"/>
<text x="10" y="16">What an operation costs, × socketioxide (the dotted line); shorter is better, beyond {MOST} bars are cut</text>
{rows}</svg>
"#
    )
}
