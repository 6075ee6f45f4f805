//! Pagination: the requested part of an ordered list, and the rows found. It knows neither GraphQL nor SQL.

/// The direction in which a page extends from its anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The rows after the anchor, or the first rows of the list.
    Forward,
    /// The rows before the anchor, or the last rows of the list. They are returned in the list's order all the same.
    Backward,
}

/// The position in a list at which a page starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Anchor<Key> {
    /// The end of the list at which the direction starts.
    Start,
    /// Next to the row with this key, which need not exist any more.
    Cursor(Key),
    /// After this many rows from that end. Skipping rows costs as much as reading them, and concurrent inserts and
    /// deletions shift the others.
    Offset(u64),
}

/// A request for a part of an ordered list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page<Key> {
    /// Maximum number of rows; 0 is allowed.
    pub size: u64,
    pub direction: Direction,
    pub anchor: Anchor<Key>,
    /// The page ends in front of the row with this key, which need not exist any more. Without one it can extend to the
    /// end of the list.
    pub until: Option<Key>,
    /// True if the existence of rows on the other side of the anchor has to be determined, which costs one more
    /// statement.
    pub check_opposite: bool,
}

/// The rows of a page, in the list's order for both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice<Row> {
    /// The rows, at most as many as the page's size.
    pub(crate) rows: Vec<Row>,
    /// Of a forward page: true if more rows follow, up to `until`. Of a backward page: true if the list has rows at the
    /// anchor or after it.
    pub(crate) has_next: bool,
    /// Of a backward page: true if more rows precede, down to `until`. Of a forward page: true if the list has rows at
    /// the anchor or before it.
    pub(crate) has_previous: bool,
}

impl<Row> Slice<Row> {
    pub(crate) fn size(&self) -> usize {
        self.rows.len()
    }
}

impl<Key> Page<Key> {
    /// Builds the slice of a page from rows that were read in its direction, up to one more than its size, and from
    /// whether there are rows on the opposite side of the anchor.
    pub(crate) fn slice<Row>(&self, mut rows: Vec<Row>, has_opposite: bool) -> Slice<Row> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let has_more = rows.len() > size;
        rows.truncate(size);
        match self.direction {
            Direction::Forward => Slice { rows, has_next: has_more, has_previous: has_opposite },
            Direction::Backward => {
                rows.reverse();
                Slice { rows, has_next: has_opposite, has_previous: has_more }
            }
        }
    }
}
