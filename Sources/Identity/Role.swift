import APISchema
import NetworkModel

/// What policy rules ask for. Some imply others.
public struct Role: IdentityRecord {
    public var id: String
    public var name: String
    public var description = ""
    public var extra = ExtraMembers()

    public init(id: String, name: String, description: String = "") {
        self.id = id
        self.name = name
        self.description = description
    }

    /// The roles of every cloud, as OpenStack's default policies know them.
    public static let standardNames = ["admin", "manager", "member", "reader", "service"]

    /// Each implies the next: an administrator is also a manager, and so on. `service` stands apart.
    public static let chain = ["admin", "manager", "member", "reader"]

    /// The role itself and what it implies.
    public static func implied(by name: String) -> [String] {
        guard let position = chain.firstIndex(of: name) else { return [name] }
        return Array(chain[position...])
    }

    public static let kind = IdentityKind(singular: "role", plural: "roles", maximumNameLength: 255)

    /// Roles belong to no domain.
    public var domainID: String? { nil }

    public init(id: String, creating members: [String: JSONValue]) throws(IdentityError) {
        self.init(id: id, name: try MemberReader(members, Self.kind).requiredName())
        try change(members)
    }

    public mutating func change(_ members: [String: JSONValue]) throws(IdentityError) {
        let reader = MemberReader(members, Self.kind)
        let changed = try reader.name() ?? name
        guard changed == name || !Self.standardNames.contains(name) else {
            throw .forbidden("The role \(name) is part of every cloud and keeps its name.")
        }
        name = changed
        description = try reader.text("description") ?? description
        extra.take(members, besides: ["id", "name", "description", "domain_id", "links", "options"])
    }

    public var members: [String: JSONValue] {
        extra.merged(with: [
            "id": .string(id), "name": .string(name), "description": description.isEmpty ? nil : .string(description), "domain_id": nil,
            "options": [:],
        ])
    }

    public static let columns = ["id", "name", "description", "extra"]

    public var values: [ColumnValue] { [.text(id), .text(name), .text(description), .text(extra.text)] }

    public init?(values: [ColumnValue]) {
        guard values.count == Self.columns.count, case .text(let id) = values[0], case .text(let name) = values[1],
            case .text(let description) = values[2], case .text(let extra) = values[3]
        else { return nil }
        self.init(id: id, name: name, description: description)
        self.extra = ExtraMembers(text: extra)
    }
}
