import APISchema
import AccessPolicy
import NetworkModel
import Store

/// What a resource belongs to, by the name that rules have for it: the `network` of a port in `%(network:project_id)s`.
public struct PolicyParent: Sendable {
    let name: String
    /// The resource's column, and attribute, with the id of the parent.
    let column: String
    /// The parent's SQL table.
    let table: String
    /// The parent's column of an attribute; nil when it has none with a text.
    let parentColumn: @Sendable (String) -> String?
    /// A field of the parent with an id; nil when there is no such parent or field.
    let value: @Sendable (Verb, ResourceID, String) throws -> JSONValue?
    /// The same of several parents, which are read together.
    let values: @Sendable (Verb, [ResourceID], String) throws -> [ResourceID: JSONValue]
    /// Throws 404 when the caller does not see the parent with an id, or the text is no id.
    let checkVisible: @Sendable (Verb, String) throws -> Void

    init<Parent: ManagedResource>(_ name: String, column: String, _ parent: Parent.Type) {
        self.name = name
        self.column = column
        table = Parent.table.plural
        parentColumn = { Parent.table.textColumn(of: $0) }
        value = { verb, id, field in try verb.find(Parent.self, id)?.policyValue(of: field, in: verb) }
        values = { verb, ids, field in
            var query = ListQuery()
            query.filters = [.column("id", ids.map(\.columnValue))]
            return try verb.transaction.list(Parent.self, query).reduce(into: [:]) { values, parent in
                values[parent.id] = try parent.policyValue(of: field, in: verb)
            }
        }
        checkVisible = { verb, id in _ = try verb.visible(Parent.self, id) }
    }
}

extension APIResource {
    /// What the resource's attribute is to rules; nil when it has no column for it.
    func policyValue(of field: String) -> JSONValue? {
        guard let attribute = Self.table[field], let column = attribute.column else { return nil }
        return attribute.policyValue(of: column.value(self))
    }
}

extension ManagedResource {
    /// The same, and of an attribute that is computed at reading what clients are shown.
    func policyValue(of field: String, in verb: Verb) throws -> JSONValue? {
        if let kept = policyValue(of: field) { return kept }
        guard let attribute = Self.table[field], attribute.column == nil else { return nil }
        return attribute.shownValue(of: try verb.withComputed(self))
    }

    /// The parent that a field such as `network:project_id` speaks of, and the parent's field. An attribute such as `router:external` is none.
    static func policyParent(of field: String) -> (parent: PolicyParent, field: String)? {
        guard table[field] == nil, let colon = field.firstIndex(of: ":") else { return nil }
        let name = field[..<colon]
        guard let parent = policyParents.first(where: { $0.name == name }) else { return nil }
        return (parent, String(field[field.index(after: colon)...]))
    }
}

extension Attribute {
    /// What a value of the attribute's column is to rules.
    func policyValue(of value: ColumnValue) -> JSONValue {
        switch value {
        case .null: .null
        case .text(let text): .string(text)
        case .integer(let number): type.isBoolean ? .bool(number != 0) : .integer(number)
        }
    }
}

extension ResourceTable {
    /// The column of an attribute, if it holds texts: only those name a project.
    func textColumn(of attribute: String) -> String? {
        guard let column = self[attribute]?.column, column.type == .text else { return nil }
        return column.name
    }
}

extension AttributeType {
    fileprivate var isBoolean: Bool {
        switch self {
        case .boolean: true
        case .nullable(let type), .nullMeans(_, let type): type.isBoolean
        default: false
        }
    }
}
