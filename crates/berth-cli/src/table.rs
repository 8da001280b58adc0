//! Columns: cells are separated by tabs, at least ten wide, three blanks apart, as Docker's tables are.

const MIN_WIDTH: usize = 10;
const PADDING: usize = 3;

/// Aligns tab-separated lines. The text after a line's last tab is no column and is left alone.
pub(crate) fn align(text: &str) -> String {
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let columns = rows.iter().map(|row| row.len() - 1).max().unwrap_or(0);
    let mut widths = vec![MIN_WIDTH; columns];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(&row[..row.len() - 1]) {
            *width = (*width).max(cell.chars().count() + PADDING);
        }
    }
    let mut out = String::with_capacity(text.len() * 2);
    for row in &rows {
        for (i, cell) in row.iter().enumerate() {
            out.push_str(cell);
            if i + 1 < row.len() {
                (cell.chars().count()..widths[i]).for_each(|_| out.push(' '));
            }
        }
        out.push('\n');
    }
    out
}
