//! Pages: which part of an ordered list is asked for, and what came of it. Knows neither GraphQL nor SQL.

/// Which way a page goes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The rows that follow the start; from the first one where there is none.
    Forward,
    /// The rows that precede the start; from the last one where there is none. They are answered in the list's order all the same.
    Backward,
}

/// Where a page starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Anchor<Key> {
    /// At the end that the direction begins with.
    Start,
    /// Beside the row with this key, which need not exist any more.
    Cursor(Key),
    /// So many rows from that end. It costs as much as reading them, and rows that come or go meanwhile move the rest.
    Offset(u64),
}

/// A part of an ordered list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page<Key> {
    /// How many rows at most; 0 is allowed.
    pub size: u64,
    /// Which way.
    pub direction: Direction,
    /// From where.
    pub anchor: Anchor<Key>,
    /// Whether it is to be found out what lies behind the start, which costs a statement of its own.
    pub check_opposite: bool,
}

/// What a page holds, in the list's order whichever the direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<Row> {
    /// The rows, at most as many as the page's size.
    pub rows: Vec<Row>,
    /// Whether there are rows after the last of these.
    pub has_next: bool,
    /// Whether there are rows before the first of these.
    pub has_previous: bool,
}

impl<Row> Slice<Row> {
    /// How many rows there are.
    pub fn size(&self) -> usize {
        self.rows.len()
    }
}

impl<Key> Page<Key> {
    /// What a page holds: of rows that were read in its direction, one more than its size where there are so many, and
    /// of what was found behind its start.
    pub fn slice<Row>(&self, mut rows: Vec<Row>, behind: bool) -> Slice<Row> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let ahead = rows.len() > size;
        rows.truncate(size);
        match self.direction {
            Direction::Forward => Slice { rows, has_next: ahead, has_previous: behind },
            Direction::Backward => {
                rows.reverse();
                Slice { rows, has_next: behind, has_previous: ahead }
            }
        }
    }
}
