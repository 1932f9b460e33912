//! What was measured, as pictures.

use std::fs;
use std::path::{Path, PathBuf};

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::results::Results;
use super::server::Kind;
use crate::error::Error;
use crate::fan::Pace;
use crate::number::float_len;

const SIZE: (u32, u32) = (800, 480);

/// So much more than what is in it is shown of each axis.
const MARGIN: f64 = 1.15;

/// What spans orders of magnitude is logarithmic; whatever is not begins at 0.
#[derive(Debug, Clone, Copy)]
enum Axes {
    Linear,
    LogarithmicX,
    Logarithmic,
}

/// Of logarithmic axes, so that there are some labels where they span less than from one power of ten to the next.
const BASE: f64 = 2.0;

const FONT: (&str, u32) = ("sans-serif", 15);

/// A line for each server.
struct Plot {
    file: &'static str,
    title: String,
    x: &'static str,
    y: &'static str,
    axes: Axes,
    lines: Vec<(Kind, Vec<(f64, f64)>)>,
}

/// A plot that there is now.
pub(crate) struct Drawn {
    pub(super) title: String,
    pub(super) file: PathBuf,
}

pub(super) fn draw(results: &Results, folder: &Path) -> Result<Vec<Drawn>, Error> {
    let mut drawn = Vec::new();
    fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    for plot in [latency(results), deliveries(results), memory(results)] {
        if plot.lines.iter().any(|(_, points)| !points.is_empty()) {
            let file = folder.join(plot.file);
            let written = svg(&plot).map_err(|error| std::io::Error::other(error.to_string()));
            let written = written.and_then(|text| fs::write(&file, text));
            written.map_err(|source| Error::Write { path: file.clone(), source })?;
            drawn.push(Drawn { title: plot.title, file });
        }
    }
    Ok(drawn)
}

fn lines(points: impl Fn(Kind) -> Vec<(f64, f64)>) -> Vec<(Kind, Vec<(f64, f64)>)> {
    Kind::ALL.into_iter().map(|kind| (kind, points(kind))).collect()
}

fn latency(results: &Results) -> Plot {
    let receivers = results.rates.first().map_or(0, |run| run.report.receivers);
    let points = |kind| {
        let runs = results.rates.iter().filter(|run| run.server == kind);
        let point = |report: &crate::fan::Report| match report.pace {
            Pace::Rate(rate) => Some((rate, report.latency_ms?.p99)),
            Pace::InFlight(_) => None,
        };
        runs.filter_map(|run| point(&run.report)).collect()
    };
    Plot {
        file: "latency-over-rate.svg",
        title: format!("Latency, {receivers} receivers"),
        x: "messages a second",
        y: "p99, ms",
        axes: Axes::Logarithmic,
        lines: lines(points),
    }
}

fn deliveries(results: &Results) -> Plot {
    let points = |kind| {
        let runs = results.crowds.iter().filter(|run| run.server == kind);
        runs.map(|run| (float_len(run.report.receivers), run.report.deliveries_per_second)).collect()
    };
    Plot {
        file: "deliveries-over-receivers.svg",
        title: "Deliveries, saturated".to_owned(),
        x: "receivers",
        y: "deliveries a second",
        axes: Axes::LogarithmicX,
        lines: lines(points),
    }
}

fn memory(results: &Results) -> Plot {
    let points = |kind| {
        let runs = results.memory.iter().filter(|run| run.server == kind);
        let point = |report: &crate::connect::Report| {
            let kib = report.server?.idle_kib;
            Some((float_len(report.connections), crate::number::float(kib) / 1024.0))
        };
        runs.filter_map(|run| point(&run.report)).collect()
    };
    Plot {
        file: "memory-over-connections.svg",
        title: "Memory, idle".to_owned(),
        x: "connections",
        y: "MiB",
        axes: Axes::Linear,
        lines: lines(points),
    }
}

type Painted<T> = Result<T, Box<dyn std::error::Error>>;

fn svg(plot: &Plot) -> Painted<String> {
    let [x, y] = [|point: &(f64, f64)| point.0, |point: &(f64, f64)| point.1].map(|of| bounds(plot, of));
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let log = |(low, high): (f64, f64)| (low..high).log_scale().base(BASE);
        match plot.axes {
            Axes::Linear => paint(plot, &root, 0.0..x.1, 0.0..y.1)?,
            Axes::LogarithmicX => paint(plot, &root, log(x), 0.0..y.1)?,
            Axes::Logarithmic => paint(plot, &root, log(x), log(y))?,
        }
        root.present()?;
    }
    Ok(text)
}

fn bounds(plot: &Plot, of: fn(&(f64, f64)) -> f64) -> (f64, f64) {
    let values = plot.lines.iter().flat_map(|(_, points)| points.iter().map(of));
    let (low, high) =
        values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    (low / MARGIN, high * MARGIN)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn paint<X, Y>(plot: &Plot, area: &Area<'_>, x: X, y: Y) -> Painted<()>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(&plot.title, ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(50)
        .y_label_area_size(90)
        .build_cartesian_2d(x, y)?;
    // Ticks are round, but for the last of their bits.
    let formatter = |value: &f64| ((value * 1e3).round() / 1e3).to_string();
    let mut mesh = chart.configure_mesh();
    mesh.max_light_lines(0)
        .label_style(FONT)
        .axis_desc_style(FONT)
        .x_desc(plot.x)
        .y_desc(plot.y)
        .x_label_formatter(&formatter)
        .y_label_formatter(&formatter)
        .draw()?;
    for (kind, points) in plot.lines.iter().filter(|(_, points)| !points.is_empty()) {
        let color = color(*kind);
        let series = chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
        series
            .label(kind.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
    }
    let mut legend = chart.configure_series_labels();
    legend
        .label_font(FONT)
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}

/// That can be told apart by those too who do not see red and green (Okabe and Ito).
fn color(kind: Kind) -> RGBColor {
    match kind {
        Kind::Floor => RGBColor(120, 120, 120),
        Kind::FloorBatch => RGBColor(0, 0, 0),
        Kind::Node => RGBColor(230, 159, 0),
        Kind::LobbySocketio => RGBColor(0, 114, 178),
        Kind::LobbyWs => RGBColor(0, 158, 115),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::page::tests::{report, results};
    use crate::compare::results::Run;
    use crate::compare::scenario::Scenario;

    #[test]
    fn a_plot_has_a_line_for_each_server_that_was_measured() {
        let mut results = results(Vec::new());
        for (server, rate) in [(Kind::Node, 5.0), (Kind::Node, 50.0), (Kind::LobbyWs, 5.0)] {
            let scenario = Scenario::at(10, rate);
            results.rates.push(Run { scenario, server, round: 0, report: report(10, rate, 1.0) });
        }
        let text = svg(&latency(&results)).unwrap();
        assert!(text.starts_with("<svg") && text.contains("Latency, 10 receivers"), "{text}");
        assert!(text.contains(Kind::Node.name()) && text.contains(Kind::LobbyWs.name()));
        assert!(!text.contains(Kind::FloorBatch.name()));
        assert!(text.contains(">\n16\n<"), "the axes have labels: {text}");
    }
}
