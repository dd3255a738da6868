import NetworkModel

/// What a list asks for: filters, order, page and fields. Made from the query by the resource's table, carried out by the store.
public struct ListQuery: Sendable, Hashable {
    /// One condition; several must all hold.
    public indirect enum Filter: Sendable, Hashable {
        /// The column has one of the values. An empty list matches nothing.
        case column(String, [ColumnValue])
        /// `EXISTS (SELECT 1 FROM table WHERE table.owner = resource.id AND table.column IN values)`: fixed IPs, groups, tags.
        case related(table: String, owner: String, column: String, [ColumnValue])
        /// As `related`, for columns that hold one of the texts somewhere: parts of addresses.
        case relatedPart(table: String, owner: String, column: String, [String])
        /// The column is not below the value.
        case atLeast(String, ColumnValue)
        /// Not all of the conditions hold. The list is not empty.
        case not([Filter])
        /// All of the conditions hold. The list is not empty.
        case all([Filter])
        /// One of the conditions holds. An empty list matches nothing.
        case any([Filter])
        /// `column IN (SELECT key FROM table WHERE conditions)`: what the resource belongs to fulfils conditions of its own.
        case within(column: String, table: String, key: String, [Filter])
    }

    public struct SortKey: Sendable, Hashable {
        public var column: String
        public var isAscending: Bool
        public init(column: String, isAscending: Bool = true) {
            self.column = column
            self.isAscending = isAscending
        }
    }

    public var filters: [Filter] = []
    /// Conditions on attributes that no column has (an agent's `alive`): the operation applies them. By attribute name.
    public var computed: [String: [String]] = [:]
    /// The attributes that filters are about, by name.
    public var filteredAttributes: Set<String> = []
    /// `id` is always appended as the last key, so that pages are stable.
    public var sortKeys: [SortKey] = []
    /// At most so many; nil: all.
    public var limit: Int?
    /// The last resource of the page before.
    public var marker: ResourceID?
    public var isReversed: Bool = false
    /// Attribute names; empty: all.
    public var fields: Set<String> = []

    public init() {}
}
