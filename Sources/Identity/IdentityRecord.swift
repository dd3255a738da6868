import APISchema
import NetworkModel

/// How a kind of record is called in paths, bodies and messages.
public struct IdentityKind: Sendable {
    public let singular: String
    public let plural: String
    public let maximumNameLength: Int

    /// The table that holds it.
    public var table: String { "identity_\(plural)" }
}

/// A user, project, domain or role: how it is read from requests, shown, and kept.
public protocol IdentityRecord: Hashable, Sendable {
    static var kind: IdentityKind { get }
    /// 32 hexadecimal digits, as Keystone writes them, or the word `default`.
    var id: String { get }
    var name: String { get }
    /// Nil for what belongs to no domain.
    var domainID: String? { get }

    /// From the body of a request that creates it.
    init(id: String, creating members: [String: JSONValue]) throws(IdentityError)
    /// Takes what a request gives; the rest stays.
    mutating func change(_ members: [String: JSONValue]) throws(IdentityError)
    /// The members of its JSON object, without links.
    var members: [String: JSONValue] { get }

    static var columns: [String] { get }
    var values: [ColumnValue] { get }
    /// Nil when a column does not hold what it should.
    init?(values: [ColumnValue])
}

/// A new id for a record: 32 hexadecimal digits.
public enum IdentityID {
    public static func make(using generator: inout some RandomNumberGenerator) -> String {
        ResourceID(using: &generator).description.filter { $0 != "-" }
    }
}

/// What clients store with a record that has no meaning here (`email` and others): it is shown as it was given.
public struct ExtraMembers: Hashable, Sendable {
    public private(set) var members: [String: JSONValue] = [:]

    public init() {}

    init(text: String) { members = (try? JSONParser.parse(text))?.objectValue ?? [:] }

    var text: String { JSONValue.object(members).text }

    mutating func take(_ given: [String: JSONValue], besides known: Set<String>) {
        for (name, value) in given where !known.contains(name) { members[name] = value }
    }

    /// The text together with what is kept beside the members and has no column of its own.
    func text(keeping kept: [String: JSONValue]) -> String { JSONValue.object(merged(with: kept)).text }

    /// Takes out what ``text(keeping:)`` kept.
    mutating func takeOut(_ name: String) -> JSONValue? { members.removeValue(forKey: name) }

    /// What has a meaning wins.
    func merged(with known: [String: JSONValue]) -> [String: JSONValue] { members.merging(known) { $1 } }
}

/// Reads the members of a record's JSON object, with Keystone's words for what is wrong.
struct MemberReader {
    private let members: [String: JSONValue]
    private let kind: IdentityKind

    init(_ members: [String: JSONValue], _ kind: IdentityKind) {
        self.members = members
        self.kind = kind
    }

    /// Nil when it is absent or null.
    func text(_ name: String) throws(IdentityError) -> String? {
        guard let value = members[name], !value.isNull else { return nil }
        guard let text = value.stringValue else { throw .wrongType(name, value, "string") }
        guard !text.utf8.contains(0) else { throw .badRequest("Invalid input for field '\(name)': it holds a null character") }
        return text
    }

    func flag(_ name: String) throws(IdentityError) -> Bool? {
        guard let value = members[name] else { return nil }
        guard let flag = value.boolValue else { throw .wrongType(name, value, "boolean") }
        return flag
    }

    func name() throws(IdentityError) -> String? {
        guard let value = members["name"] else { return nil }
        guard let name = try text("name") else { throw .wrongType("name", value, "string") }
        guard name.utf8.contains(where: { $0 > 0x20 }) else {
            throw .badRequest("Invalid input for field 'name': \(value.text) is too short")
        }
        guard name.unicodeScalars.count <= kind.maximumNameLength else {
            throw .badRequest("Invalid input for field 'name': \(value.text) is too long")
        }
        return name
    }

    func requiredName() throws(IdentityError) -> String {
        guard let name = try name() else { throw .badRequest("Invalid input for field '\(kind.singular)': 'name' is a required property") }
        return name
    }

    func refuseOtherDomain(than domainID: String?) throws(IdentityError) {
        if let other = try text("domain_id"), other != domainID { throw .badRequest("Cannot change Domain ID") }
    }
}
