import APISchema

/// A list query as SQL text and arguments, the same for both databases.
struct ListStatement {
    private(set) var text: String
    private(set) var arguments: [ColumnValue] = []

    /// `SELECT count(*)` with the filters.
    static func count(_ table: String, _ filters: [ListQuery.Filter]) -> ListStatement {
        var statement = ListStatement(text: "SELECT count(*) FROM \(table)")
        statement.addConditions(filters, of: table)
        return statement
    }

    /// The rows of a page.
    ///
    /// - Parameter marker: what the marker's row has in the sort columns, then its id; nil for the first page.
    static func page(_ resource: ResourceSQL, _ query: ListQuery, marker: [ColumnValue]?) -> ListStatement {
        var statement = ListStatement(text: "SELECT \(resource.columns) FROM \(resource.table)")
        let keys = keys(of: query)
        statement.addConditions(query.filters, of: resource.table)
        if let marker {
            statement.text += query.filters.isEmpty ? " WHERE " : " AND "
            statement.addPosition(keys, after: marker)
        }
        statement.text += " ORDER BY " + keys.map(orderTerm).joined(separator: ", ")
        if let limit = query.limit {
            statement.text += " LIMIT ?"
            statement.arguments.append(.integer(limit))
        }
        return statement
    }

    /// What the position of a row in the order depends on. One row with the columns of ``keys(of:)``.
    static func position(_ table: String, _ query: ListQuery) -> ListStatement {
        var statement = ListStatement(
            text: "SELECT \(keys(of: query).map { "\"\($0.column)\"" }.joined(separator: ", ")) FROM \(table) WHERE id = ?")
        if let marker = query.marker { statement.arguments = [.text(marker.description)] }
        return statement
    }

    /// The sort keys with `id` at the end; a page backwards is a page forwards in the opposite order.
    static func keys(of query: ListQuery) -> [ListQuery.SortKey] {
        var keys: [ListQuery.SortKey] = []
        for key in query.sortKeys where !keys.contains(where: { $0.column == key.column }) { keys.append(key) }
        if !keys.contains(where: { $0.column == "id" }) { keys.append(.init(column: "id")) }
        return query.isReversed ? keys.map { .init(column: $0.column, isAscending: !$0.isAscending) } : keys
    }

    /// Null sorts before everything, as in MySQL and SQLite; PostgreSQL must be told.
    private static func orderTerm(_ key: ListQuery.SortKey) -> String {
        let nulls = key.column == "id" ? "" : key.isAscending ? " NULLS FIRST" : " NULLS LAST"
        return "\"\(key.column)\"" + (key.isAscending ? " ASC" : " DESC") + nulls
    }

    private mutating func addConditions(_ filters: [ListQuery.Filter], of table: String) {
        for (position, filter) in filters.enumerated() {
            text += position == 0 ? " WHERE " : " AND "
            addCondition(filter, of: table)
        }
    }

    private mutating func addCondition(_ filter: ListQuery.Filter, of table: String) {
        switch filter {
        case .column(let column, let values): addMembership("\(table).\"\(column)\"", values)
        case .related(let related, let owner, let column, let values):
            // Not correlated, so that the database may begin with the few related rows.
            text += "\(table).id IN (SELECT \"\(owner)\" FROM \(related) WHERE "
            addMembership("\"\(column)\"", values)
            text += ")"
        case .relatedPart(let related, let owner, let column, let texts):
            text += "\(table).id IN (SELECT \"\(owner)\" FROM \(related) WHERE "
            addParts(column, texts)
            text += ")"
        case .atLeast(let column, let value):
            text += "\(table).\"\(column)\" >= ?"
            arguments.append(value)
        case .not(let conditions):
            precondition(!conditions.isEmpty, "a negation has conditions")
            text += "NOT "
            addGroup(conditions, joinedBy: " AND ", of: table)
        case .all(let conditions):
            precondition(!conditions.isEmpty, "a conjunction has conditions")
            addGroup(conditions, joinedBy: " AND ", of: table)
        case .any(let conditions):
            if conditions.isEmpty { text += "1 = 0" } else { addGroup(conditions, joinedBy: " OR ", of: table) }
        case .within(let column, let whole, let key, let conditions):
            text += "\(table).\"\(column)\" IN (SELECT \"\(key)\" FROM \(whole)"
            addConditions(conditions, of: whole)
            text += ")"
        }
    }

    private mutating func addGroup(_ conditions: [ListQuery.Filter], joinedBy word: String, of table: String) {
        text += "("
        for (position, condition) in conditions.enumerated() {
            if position > 0 { text += word }
            addCondition(condition, of: table)
        }
        text += ")"
    }

    /// The column holds one of the texts somewhere. Wildcards in them mean themselves.
    private mutating func addParts(_ column: String, _ texts: [String]) {
        guard let first = texts.first else {
            text += "1 = 0"
            return
        }
        var count = 1
        while count < texts.count { count *= 2 }
        let patterns = (texts + Array(repeating: first, count: count - texts.count)).map { part in
            "%" + part.map { "%_!".contains($0) ? "!\($0)" : String($0) }.joined() + "%"
        }
        text += "(" + patterns.map { _ in "\"\(column)\" LIKE ? ESCAPE '!'" }.joined(separator: " OR ") + ")"
        arguments += patterns.map(ColumnValue.text)
    }

    private mutating func addMembership(_ column: String, _ values: [ColumnValue]) {
        var present = values.filter { $0 != .null }
        switch (present.isEmpty, present.count < values.count) {
        case (true, true): text += "\(column) IS NULL"
        case (true, false): text += "1 = 0"
        case (false, let hasNull):
            // Rounded up to a power of two by repeating a value: few distinct texts, however many values clients give.
            var count = 1
            while count < present.count { count *= 2 }
            present += Array(repeating: present[0], count: count - present.count)
            let list = "\(column) IN (\(present.map { _ in "?" }.joined(separator: ", ")))"
            text += hasNull ? "(\(list) OR \(column) IS NULL)" : list
            arguments += present
        }
    }

    /// The rows behind a position: `a > x OR (a = x AND (b > y OR (b = y AND id > z)))`, with null before everything.
    private mutating func addPosition(_ keys: [ListQuery.SortKey], after marker: [ColumnValue]) {
        precondition(keys.count == marker.count, "a position has a value for each sort key")
        for (index, (key, value)) in zip(keys, marker).enumerated() {
            let isLast = index == keys.count - 1
            text += "("
            addBeyond(key, value)
            if isLast { break }
            text += " OR (\"\(key.column)\""
            if value == .null {
                text += " IS NULL AND "
            } else {
                text += " = ? AND "
                arguments.append(value)
            }
        }
        text += ")" + String(repeating: "))", count: keys.count - 1)
    }

    private mutating func addBeyond(_ key: ListQuery.SortKey, _ value: ColumnValue) {
        switch (key.isAscending, value) {
        case (true, .null): text += "\"\(key.column)\" IS NOT NULL"
        case (false, .null): text += "1 = 0"
        case (true, _):
            text += "\"\(key.column)\" > ?"
            arguments.append(value)
        case (false, _):
            text += "(\"\(key.column)\" < ? OR \"\(key.column)\" IS NULL)"
            arguments.append(value)
        }
    }
}

extension ListQuery {
    /// Whether its statement is one of few texts, a table's list or one by the value of a column, and so may stay prepared. Clients choose among
    /// many others.
    fileprivate static let plainFilters = 1

    var isPlain: Bool {
        guard sortKeys.isEmpty, marker == nil, filters.count <= Self.plainFilters else { return false }
        guard let filter = filters.first else { return true }
        if case .column(_, let values) = filter { return values.count == 1 }
        return false
    }
}
