//! Columns: cells are separated by tabs, at least ten wide, three blanks apart, as Docker's tables are.

const MIN_WIDTH: usize = 10;
const PADDING: usize = 3;

/// Aligns tab-separated lines. The text after a line's last tab is no column and is left alone.
pub(crate) fn align(text: &str) -> String {
    align_to(text, MIN_WIDTH)
}

/// The same with columns at least so wide.
pub(crate) fn align_to(text: &str, width: usize) -> String {
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let columns = rows.iter().map(|row| row.len() - 1).max().unwrap_or(0);
    let mut widths = vec![width; columns];
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

/// At most `width` characters, the last of them `…` where something is missing.
pub(crate) fn ellipsis(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::align;

    #[test]
    fn columns_are_dockers() {
        let rows = "REPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE\nbb\tlatest\t347fe1fc1c82\t1 second ago\t1.98MB\n";
        let expected = "REPOSITORY   TAG       IMAGE ID       CREATED        SIZE\n\
                        bb           latest    347fe1fc1c82   1 second ago   1.98MB\n";
        assert_eq!(align(rows), expected);
        assert_eq!(align("A\tB\n"), "A         B\n");
        assert_eq!(align("sh -c 'ec…\tx\n"), "sh -c 'ec…   x\n");
    }
}
