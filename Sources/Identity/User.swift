import APISchema
import NetworkModel

/// Who may log in.
public struct User: IdentityRecord {
    public var id: String
    public var domainID: String?
    public var name: String
    public var isEnabled = true
    /// The project of tokens that are asked for without a scope.
    public var defaultProjectID: String?
    /// The text of a ``PasswordHash``; nil: nobody can log in by password.
    public var passwordHash: String?
    /// Counts what ends the user's tokens: a new password, being disabled. A token of another generation is not valid.
    public var generation = 0
    public var extra = ExtraMembers()

    public init(id: String, domainID: String, name: String) {
        self.id = id
        self.domainID = domainID
        self.name = name
    }

    public static let kind = IdentityKind(singular: "user", plural: "users", maximumNameLength: 255)

    /// Without the password, which is hashed elsewhere: see ``password(in:)``.
    public init(id: String, creating members: [String: JSONValue]) throws(IdentityError) {
        let reader = MemberReader(members, Self.kind)
        self.init(id: id, domainID: try reader.text("domain_id") ?? Domain.defaultID, name: try reader.requiredName())
        try change(members)
    }

    public mutating func change(_ members: [String: JSONValue]) throws(IdentityError) {
        let reader = MemberReader(members, Self.kind)
        try reader.refuseOtherDomain(than: domainID)
        name = try reader.name() ?? name
        let wasEnabled = isEnabled
        isEnabled = try reader.flag("enabled") ?? isEnabled
        if wasEnabled, !isEnabled { generation += 1 }
        if let project = members["default_project_id"] {
            defaultProjectID = project.isNull ? nil : try reader.text("default_project_id")
        }
        extra.take(
            members,
            besides: [
                "id", "domain_id", "name", "enabled", "default_project_id", "password", "original_password", "links", "options",
                "password_expires_at", "federated",
            ])
    }

    /// The password that a request gives; nil: none.
    public static func password(in members: [String: JSONValue], _ name: String = "password") throws(IdentityError) -> String? {
        guard let password = try MemberReader(members, kind).text(name) else { return nil }
        guard (1...PasswordHash.maximumPasswordBytes).contains(password.utf8.count) else {
            throw .badRequest(
                "Invalid input for field '\(name)': a password has 1 to \(PasswordHash.maximumPasswordBytes) bytes")
        }
        return password
    }

    public var members: [String: JSONValue] {
        var members: [String: JSONValue] = [
            "id": .string(id), "domain_id": .string(domainID ?? ""), "name": .string(name), "enabled": .bool(isEnabled), "options": [:],
            "password_expires_at": nil,
        ]
        if let defaultProjectID { members["default_project_id"] = .string(defaultProjectID) }
        return extra.merged(with: members)
    }

    public static let columns = ["id", "domain_id", "name", "enabled", "default_project_id", "password_hash", "generation", "extra"]

    public var values: [ColumnValue] {
        [
            .text(id), .text(domainID ?? ""), .text(name), .integer(isEnabled ? 1 : 0), defaultProjectID.map(ColumnValue.text) ?? .null,
            passwordHash.map(ColumnValue.text) ?? .null, .integer(generation), .text(extra.text),
        ]
    }

    public init?(values: [ColumnValue]) {
        guard values.count == Self.columns.count, case .text(let id) = values[0], case .text(let domain) = values[1],
            case .text(let name) = values[2], case .integer(let enabled) = values[3], case .integer(let generation) = values[6],
            case .text(let extra) = values[7]
        else { return nil }
        self.init(id: id, domainID: domain, name: name)
        isEnabled = enabled == 1
        if case .text(let project) = values[4] { defaultProjectID = project }
        if case .text(let hash) = values[5] { passwordHash = hash }
        self.generation = generation
        self.extra = ExtraMembers(text: extra)
    }
}
