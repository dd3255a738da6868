import Testing

@testable import APISchema

@Suite("Lists without a table") struct ComputedListTests {
    private struct Row: Equatable {
        var name: String
        var color: String
    }

    private static let list = ComputedList(filters: ["name", "color", "tenant_id", "project_id"], sortKeys: ["color"])
    private static let rows = [
        Row(name: "a", color: "red"), Row(name: "b", color: "blue"), Row(name: "c", color: "red"), Row(name: "d", color: ""),
    ]

    private func names(_ parameters: [(name: String, value: String)], maximumPageLength: Int? = nil) throws -> [String] {
        let query = try Self.list.query(parameters, maximumPageLength: maximumPageLength)
        let page = query.page(of: Self.rows, name: { $0.name }, text: { $1 == "name" ? $0.name : $1 == "color" ? $0.color : nil })
        return page.map(\.name)
    }

    @Test("Filters are or-ed within a name and and-ed between names, and the empty text is a value") func filters() throws {
        #expect(try names([]) == ["a", "b", "c", "d"])
        #expect(try names([("color", "red"), ("color", "blue")]) == ["a", "b", "c"])
        #expect(try names([("color", "red"), ("name", "c")]) == ["c"])
        #expect(try names([("color", "")]) == ["d"])
        #expect(try names([("color", "green")]) == [])
        // What a row does not have, something else filters by.
        #expect(try names([("project_id", "p")]) == ["a", "b", "c", "d"])
        #expect(try Self.list.query([("tenant_id", "p")]).filters == ["project_id": ["p"]])
    }

    @Test("Order holds, and equals stay as they were") func order() throws {
        #expect(try names([("sort_key", "color"), ("sort_dir", "asc")]) == ["d", "b", "a", "c"])
        #expect(try names([("sort_key", "color"), ("sort_dir", "desc")]) == ["a", "c", "b", "d"])
    }

    @Test("Pages follow their markers forwards and backwards") func pages() throws {
        #expect(try names([("limit", "2")]) == ["a", "b"])
        #expect(try names([("limit", "2"), ("marker", "b")]) == ["c", "d"])
        #expect(try names([("limit", "2"), ("marker", "d")]) == [])
        #expect(try names([("limit", "2"), ("marker", "nobody")]) == [])
        #expect(try names([("limit", "2"), ("page_reverse", "True")]) == ["c", "d"])
        #expect(try names([("limit", "2"), ("page_reverse", "True"), ("marker", "c")]) == ["a", "b"])
        #expect(try names([("limit", "2"), ("page_reverse", "True"), ("marker", "a")]) == [])
        #expect(try names([("limit", "0")]) == ["a", "b", "c", "d"])
        #expect(try names([("marker", "b")]) == ["a", "b", "c", "d"])
        #expect(try names([("marker", "b")], maximumPageLength: 1) == ["c"])
        #expect(try names([("limit", "9")], maximumPageLength: 3) == ["a", "b", "c"])
        #expect(try names([], maximumPageLength: 3) == ["a", "b", "c"])
        #expect(try names([("limit", "1"), ("color", "red"), ("marker", "a")]) == ["c"])
    }

    @Test(
        "A query that means nothing is refused with the words of all lists",
        arguments: [
            ([("size", "1"), ("shape", "2")], "['size', 'shape'] is invalid attribute for filtering"),
            ([("sort_key", "name"), ("sort_dir", "asc")], "['name'] is invalid attribute for sort_keys"),
            ([("sort_key", "color"), ("sort_dir", "up")], "['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'"),
            ([("sort_key", "color"), ("sort_dir", "asc"), ("sort_dir", "asc")], "The number of sort_keys and sort_dirs must be same"),
            ([("sort_key", "color")], "The number of sort_keys and sort_dirs must be same"),
        ] as [([(String, String)], String)])
    func refusals(_ parameters: [(String, String)], _ message: String) {
        #expect(throws: APIError.badRequest(message)) { try Self.list.query(parameters.map { (name: $0.0, value: $0.1) }) }
    }

    @Test("Two different projects are refused, and a list that ignores unknown filters ignores them") func projects() throws {
        #expect(throws: APIError.self) { try Self.list.query([("tenant_id", "a"), ("project_id", "b")]) }
        let lenient = ComputedList(filters: ["name"], ignoresUnknownFilters: true)
        #expect(try lenient.query([("driver", "x"), ("name", "a")]).filters == ["name": ["a"]])
        #expect(try lenient.query([("fields", "name"), ("fields", "")]).fields == ["name"])
    }
}
