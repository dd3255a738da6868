/// A list whose rows are made when they are asked for: no table is behind it, but clients ask for it as for any other (system facts 4.9).
///
/// What Neutron does with such lists differs from list to list: `filters`, `sortKeys` and `ignoresUnknownFilters` say it. Where its pages
/// fail, because the rows have no `id`, these have the links of all lists.
public struct ComputedList: Sendable {
    /// What a list may be filtered by.
    public let filters: Set<String>
    /// What a list may be sorted by.
    public let sortKeys: Set<String>
    /// Whether filters of other names are ignored; else they are refused (`filter-validation`).
    public let ignoresUnknownFilters: Bool

    public init(filters: Set<String>, sortKeys: Set<String> = [], ignoresUnknownFilters: Bool = false) {
        self.filters = filters
        self.sortKeys = sortKeys
        self.ignoresUnknownFilters = ignoresUnknownFilters
    }

    /// What a request asks of the list.
    public struct Query: Sendable, Hashable {
        /// Alternatives by name; `tenant_id` has become `project_id`. The empty text is a value (`empty-string-filtering`).
        public var filters: [String: Set<String>] = [:]
        public var sortKeys: [ListQuery.SortKey] = []
        /// At most so many; nil: all.
        public var limit: Int?
        /// The name of the last row of the page before.
        public var marker: String?
        public var isReversed = false
        /// Attribute names; empty: all.
        public var fields: Set<String> = []
    }

    /// Reads a query.
    ///
    /// - Parameters:
    ///   - parameters: names and values, percent-decoded, in the order of the query.
    ///   - maximumPageLength: the longest page, also for who asks for none; nil: any length.
    public func query(
        _ parameters: [(name: String, value: String)], maximumPageLength: Int? = nil
    ) throws(APIError) -> Query {
        var query = Query()
        let given = try ListQuery.filters(in: parameters)
        let unknown = given.map(\.name).filter { !filters.contains($0) }
        guard ignoresUnknownFilters || unknown.isEmpty else { throw ListQuery.unknownFilters(unknown) }
        try ListQuery.refuseTwoProjects(given)
        for (name, values) in given where filters.contains(name) {
            query.filters[name == "tenant_id" ? "project_id" : name, default: []].formUnion(values)
        }
        query.sortKeys = try ListQuery.sortKeys(in: parameters) { sortKeys.contains($0) }
        query.fields = ListQuery.fields(in: parameters)
        query.limit = try ListQuery.limit(in: parameters, maximum: maximumPageLength)
        query.isReversed = ListQuery.isReversed(parameters)
        if query.limit != nil { query.marker = ListQuery.marker(in: parameters) }
        return query
    }
}

extension ComputedList.Query {
    /// The page of the rows that the filters pick.
    ///
    /// - Parameters:
    ///   - name: what tells a row from the others: markers name it.
    ///   - text: an attribute of a row as filters and order see it; nil where the row has none of that name, and something else has applied the
    ///     filter.
    public func page<Row>(of rows: [Row], name: (Row) -> String, text: (Row, String) -> String?) -> [Row] {
        let picked = rows.filter { row in
            filters.allSatisfy { filter, values in text(row, filter).map { values.contains($0) } ?? true }
        }
        return cut(sorted(picked, text), name)
    }

    /// Equals stay in their order.
    private func sorted<Row>(_ rows: [Row], _ text: (Row, String) -> String?) -> [Row] {
        guard !sortKeys.isEmpty else { return rows }
        let keyed = rows.enumerated().map { offset, row in
            (offset: offset, texts: sortKeys.map { key in text(row, key.column) ?? "" }, row: row)
        }
        return keyed.sorted { left, right in
            for (position, key) in sortKeys.enumerated() where left.texts[position] != right.texts[position] {
                return (left.texts[position] < right.texts[position]) == key.isAscending
            }
            return left.offset < right.offset
        }.map(\.row)
    }

    /// A marker that names nothing gives an empty page. A page backwards ends before its marker, and is in the list's order all the same.
    private func cut<Row>(_ rows: [Row], _ name: (Row) -> String) -> [Row] {
        guard let limit else { return rows }
        var place: Int?
        if let marker {
            place = rows.firstIndex { name($0) == marker }
            if place == nil { return [] }
        }
        if isReversed { return Array(rows.prefix(place ?? rows.count).suffix(limit)) }
        return Array(rows.dropFirst(place.map { $0 + 1 } ?? 0).prefix(limit))
    }
}
