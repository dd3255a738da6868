import Addressing
import NetworkModel

extension ListQuery {
    /// Parameters that are no filters.
    private static let reserved: Set<String> = ["fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"]

    /// Reads the query of a list (system facts 4.9): filters are or-ed within a name and and-ed between names, an empty value is the
    /// empty text (`empty-string-filtering`), and unknown names are refused (`filter-validation`).
    ///
    /// - Parameters:
    ///   - parameters: names and values, percent-decoded, in the order of the query.
    ///   - maximumPageLength: the longest page, also for who asks for none; nil: any length.
    public static func parse<Resource: APIResource>(
        _ parameters: [(name: String, value: String)], for type: Resource.Type, maximumPageLength: Int? = nil
    ) throws(APIError) -> ListQuery {
        var query = ListQuery()
        let filters = try Self.filters(in: parameters)
        let unknown = filters.map(\.name).filter { !isFilter($0, of: Resource.self) }
        guard unknown.isEmpty else { throw unknownFilters(unknown) }
        try refuseTwoProjects(filters)
        for filter in filters { try query.add(filter.name, filter.values, of: Resource.self) }
        query.filteredAttributes = Set(
            filters.map { tagFilters.contains($0.name) ? "tags" : $0.name == changedSince ? "updated_at" : $0.name })

        query.fields = Self.fields(in: parameters)
        try query.readSort(parameters, of: Resource.self)
        try query.readPage(parameters, maximumPageLength)
        return query
    }

    /// The parameters that are filters, with all the values of each.
    static func filters(in parameters: [(name: String, value: String)]) throws(APIError) -> [(name: String, values: [String])] {
        var filters: [(name: String, values: [String])] = []
        for (name, value) in parameters where !reserved.contains(name) {
            guard !value.utf8.contains(0) else { throw .invalidAttribute(name, AttributeType.nullCharacterRefusal) }
            if let position = filters.firstIndex(where: { $0.name == name }) {
                filters[position].values.append(value)
            } else {
                filters.append((name, [value]))
            }
        }
        return filters
    }

    static func unknownFilters(_ names: [String]) -> APIError {
        .badRequest("\(pythonList(names)) is invalid attribute for filtering")
    }

    /// The names in `fields`; empty: all.
    static func fields(in parameters: [(name: String, value: String)]) -> Set<String> {
        Set(parameters.filter { $0.name == "fields" && !$0.value.isEmpty }.map(\.value))
    }

    /// `tenant_id` and `project_id` are twins: what is asked of both must be the same.
    static func refuseTwoProjects(_ filters: [(name: String, values: [String])]) throws(APIError) {
        guard let tenants = filters.first(where: { $0.name == "tenant_id" })?.values,
            let projects = filters.first(where: { $0.name == "project_id" })?.values, Set(tenants) != Set(projects)
        else { return }
        throw APIError(
            status: 400, type: "TenantIdProjectIdFilterConflict", message: "Both tenant_id and project_id passed as filters.")
    }

    private static func isFilter<Resource: APIResource>(_ name: String, of type: Resource.Type) -> Bool {
        if tagFilters.contains(name) { return Resource.table["tags"]?.access.contains(.filter) ?? false }
        if name == changedSince { return Resource.table["updated_at"] != nil }
        if let attribute = Resource.table[name] { return attribute.access.contains(.filter) && !attribute.access.contains(.hidden) }
        return false
    }

    private static let changedSince = "changed_since"
    private static let tagFilters: Set<String> = ["tags", "tags-any", "not-tags", "not-tags-any"]

    private mutating func add<Resource: APIResource>(_ name: String, _ values: [String], of type: Resource.Type) throws(APIError) {
        switch (Resource.table.plural, name) {
        case ("ports", "fixed_ips"): try addFixedIPs(values)
        case ("ports", "security_groups"):
            filters.append(
                .related(table: "port_security_groups", owner: "port_id", column: "security_group_id", values.map(ColumnValue.text)))
        case (_, let name) where Self.tagFilters.contains(name): addTags(name, values)
        case (_, Self.changedSince): try addChange(since: values[0])
        default:
            guard let attribute = Resource.table[name] else { return }
            for value in values { try attribute.checkFilter(value) }
            let column = attribute.column?.name ?? (name == "tenant_id" ? "project_id" : nil)
            guard let column else {
                computed[name, default: []] += values
                return
            }
            filters.append(.column(column, values.compactMap(attribute.filterValue)))
        }
    }

    /// `fixed_ips=ip_address=10.0.0.5`, `fixed_ips=subnet_id=…`, and `fixed_ips=ip_address_substr=0.0.5` for addresses that hold a text. Other
    /// names ask for nothing, as in Neutron.
    private mutating func addFixedIPs(_ values: [String]) throws(APIError) {
        var wanted: [String: [String]] = [:]
        for value in values {
            let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(Self.trimmed)
            guard parts.count == 2, !parts[0].isEmpty else { throw .invalidInput("'\(value)' is not of the form <key>=[value]") }
            guard ["ip_address", "subnet_id", "ip_address_substr"].contains(parts[0]) else { continue }
            // Other spellings of an address or an id mean the same.
            let text = parts[0] == "ip_address_substr" ? parts[1].lowercased() : IPAddress(parts[1])?.description ?? parts[1].lowercased()
            wanted[parts[0], default: []].append(text)
        }
        for (name, texts) in wanted.sorted(by: { $0.key < $1.key }) {
            if name == "ip_address_substr" {
                filters.append(.relatedPart(table: "ip_allocations", owner: "port_id", column: "ip_address", texts))
            } else {
                filters.append(.related(table: "ip_allocations", owner: "port_id", column: name, texts.map(ColumnValue.text)))
            }
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var rest = text.drop(while: \.isWhitespace)
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }

    /// `changed_since=2016-09-12T10:00:00Z`, or any other form that ISO 8601 has for a moment.
    private mutating func addChange(since text: String) throws(APIError) {
        guard let time = Timestamp(iso8601: text) else {
            throw .invalidInput("The input changed_since must be in the following format: YYYY-MM-DDTHH:MM:SSZ")
        }
        filters.append(.atLeast("updated_at", time.columnValue))
    }

    /// `tags=red,blue` wants both, `tags-any` one of them; `not-tags` and `not-tags-any` are their opposites.
    private mutating func addTags(_ name: String, _ values: [String]) {
        let tags = values.flatMap { $0.split(separator: ",").map { ColumnValue.text(String($0)) } }
        guard !tags.isEmpty else { return }
        let isAny = name.hasSuffix("-any")
        let conditions = (isAny ? [tags] : tags.map { [$0] }).map {
            Filter.related(table: "tags", owner: "resource_id", column: "tag", $0)
        }
        if name.hasPrefix("not-") { filters.append(.not(conditions)) } else { filters += conditions }
    }

    /// What sorts like an attribute that has no column: the type of an agent decides its program, its heartbeat whether it is alive.
    private static let sortColumns = [
        "tenant_id": "project_id", "binary": "agent_type", "topic": "agent_type", "alive": "heartbeat_timestamp",
    ]

    private mutating func readSort<Resource: APIResource>(
        _ parameters: [(name: String, value: String)], of type: Resource.Type
    ) throws(APIError) {
        let keys = try Self.sortKeys(in: parameters) { Resource.table[$0]?.access.contains(.sort) ?? false }
        sortKeys = keys.compactMap { key in
            guard let column = Resource.table[key.column]?.column?.name ?? Self.sortColumns[key.column] else { return nil }
            return SortKey(column: column, isAscending: key.isAscending)
        }
    }

    /// The keys and directions to sort by, with the names of attributes as columns.
    static func sortKeys(
        in parameters: [(name: String, value: String)], isSortKey: (String) -> Bool
    ) throws(APIError) -> [SortKey] {
        let keys = parameters.filter { $0.name == "sort_key" && !$0.value.isEmpty }.map(\.value)
        let directions = parameters.filter { $0.name == "sort_dir" && !$0.value.isEmpty }.map(\.value)
        guard keys.count == directions.count else { throw .badRequest("The number of sort_keys and sort_dirs must be same") }
        let unknown = keys.filter { !isSortKey($0) }
        guard unknown.isEmpty else { throw .badRequest("\(pythonList(unknown)) is invalid attribute for sort_keys") }
        let wrong = directions.filter { $0 != "asc" && $0 != "desc" }
        guard wrong.isEmpty else {
            throw .badRequest("\(pythonList(wrong)) is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
        }
        return zip(keys, directions).map { SortKey(column: $0, isAscending: $1 == "asc") }
    }

    /// What `limit` says, and at most the maximum; nil, which means all, where neither says anything (or `limit` says 0).
    static func limit(in parameters: [(name: String, value: String)], maximum: Int?) throws(APIError) -> Int? {
        guard let text = parameters.last(where: { $0.name == "limit" })?.value else { return maximum }
        guard let number = Int(text), number >= 0 else {
            throw APIError(
                status: 400, type: "BadRequest",
                message: "Bad limit request: Limit must be an integer 0 or greater and not '\(text)'.")
        }
        return number == 0 ? maximum : maximum.map { min($0, number) } ?? number
    }

    static func isReversed(_ parameters: [(name: String, value: String)]) -> Bool {
        parameters.last { $0.name == "page_reverse" }?.value.lowercased() == "true"
    }

    private mutating func readPage(_ parameters: [(name: String, value: String)], _ maximumPageLength: Int?) throws(APIError) {
        limit = try Self.limit(in: parameters, maximum: maximumPageLength)
        isReversed = Self.isReversed(parameters)
        if limit != nil, let text = Self.marker(in: parameters) {
            // A marker that names nothing gives an empty page; the placeholder identity never exists.
            marker = ResourceID(text) ?? .placeholder
        }
    }

    /// Where a page begins. Who asks for no page has no use for it: Neutron passes it over without a `limit`.
    static func marker(in parameters: [(name: String, value: String)]) -> String? {
        parameters.last { $0.name == "marker" && !$0.value.isEmpty }?.value
    }

    private static func pythonList(_ names: [String]) -> String { JSONValue.array(names.map(JSONValue.string)).pythonText }
}
