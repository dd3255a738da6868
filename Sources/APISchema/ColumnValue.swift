/// A value as both databases keep it.
public enum ColumnValue: Hashable, Sendable {
    case null
    case integer(Int)
    case text(String)
}

/// How a column is declared. Booleans are integers 0 and 1 in both databases, so that one SQL text serves them.
public enum ColumnType: Sendable {
    case integer, text
}
