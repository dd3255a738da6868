import APISchema
import NetworkModel

/// A name space for users and projects. There is always the one with the id `default`.
public struct Domain: IdentityRecord {
    public static let defaultID = "default"

    public var id: String
    public var name: String
    public var isEnabled = true
    public var description = ""
    public var extra = ExtraMembers()

    public init(id: String, name: String, description: String = "") {
        self.id = id
        self.name = name
        self.description = description
    }

    public static let kind = IdentityKind(singular: "domain", plural: "domains", maximumNameLength: 64)

    public var domainID: String? { nil }

    public init(id: String, creating members: [String: JSONValue]) throws(IdentityError) {
        self.init(id: id, name: try MemberReader(members, Self.kind).requiredName())
        try change(members)
    }

    public mutating func change(_ members: [String: JSONValue]) throws(IdentityError) {
        let reader = MemberReader(members, Self.kind)
        name = try reader.name() ?? name
        isEnabled = try reader.flag("enabled") ?? isEnabled
        description = try reader.text("description") ?? description
        extra.take(members, besides: ["id", "name", "enabled", "description", "links", "options", "tags", "explicit_domain_id"])
    }

    public var members: [String: JSONValue] {
        extra.merged(with: [
            "id": .string(id), "name": .string(name), "enabled": .bool(isEnabled), "description": .string(description), "options": [:],
            "tags": [],
        ])
    }

    public static let columns = ["id", "name", "enabled", "description", "extra"]

    public var values: [ColumnValue] {
        [.text(id), .text(name), .integer(isEnabled ? 1 : 0), .text(description), .text(extra.text)]
    }

    public init?(values: [ColumnValue]) {
        guard values.count == Self.columns.count, case .text(let id) = values[0], case .text(let name) = values[1],
            case .integer(let enabled) = values[2], case .text(let description) = values[3], case .text(let extra) = values[4]
        else { return nil }
        self.init(id: id, name: name, description: description)
        isEnabled = enabled == 1
        self.extra = ExtraMembers(text: extra)
    }
}
