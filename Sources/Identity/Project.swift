import APISchema
import NetworkModel

/// What owns networks: resources of the Networking API carry its id.
public struct Project: IdentityRecord {
    public var id: String
    public var domainID: String?
    public var name: String
    public var isEnabled = true
    public var description = ""
    /// The project above it, or the id of its domain. Roles are not inherited.
    public var parentID: String
    /// In order, each once.
    public private(set) var tags: [String] = []
    public var extra = ExtraMembers()

    public init(id: String, domainID: String, name: String, description: String = "") {
        self.id = id
        self.domainID = domainID
        self.name = name
        self.description = description
        parentID = domainID
    }

    public static let kind = IdentityKind(singular: "project", plural: "projects", maximumNameLength: 64)

    public init(id: String, creating members: [String: JSONValue]) throws(IdentityError) {
        let reader = MemberReader(members, Self.kind)
        let domain = try reader.text("domain_id") ?? Domain.defaultID
        self.init(id: id, domainID: domain, name: try reader.requiredName())
        if try reader.flag("is_domain") == true {
            throw .badRequest("A domain is made with POST /v3/domains.")
        }
        parentID = try reader.text("parent_id") ?? domain
        try change(members)
    }

    public mutating func change(_ members: [String: JSONValue]) throws(IdentityError) {
        let reader = MemberReader(members, Self.kind)
        try reader.refuseOtherDomain(than: domainID)
        if let parent = try reader.text("parent_id"), parent != parentID {
            throw .forbidden("Update of `parent_id` is not allowed.")
        }
        name = try reader.name() ?? name
        isEnabled = try reader.flag("enabled") ?? isEnabled
        description = try reader.text("description") ?? description
        if let value = members["tags"] { tags = try ProjectTags.read(value) }
        extra.take(
            members, besides: ["id", "domain_id", "name", "enabled", "description", "parent_id", "is_domain", "links", "options", "tags"])
    }

    public var members: [String: JSONValue] {
        extra.merged(with: [
            "id": .string(id), "domain_id": .string(domainID ?? ""), "name": .string(name), "enabled": .bool(isEnabled),
            "description": .string(description), "parent_id": .string(parentID), "is_domain": false, "options": [:], "tags": tagList,
        ])
    }

    private var tagList: JSONValue { .array(tags.map(JSONValue.string)) }

    /// Adds a tag, if it is new.
    public mutating func add(tag: String) throws(IdentityError) {
        guard !tags.contains(tag) else { return }
        tags = try ProjectTags.read(.array((tags + [tag]).map(JSONValue.string)))
    }

    /// - Throws: 404 when the project does not have it.
    public mutating func remove(tag: String) throws(IdentityError) {
        guard tags.contains(tag) else { throw .notFound("project tag", tag) }
        tags.removeAll { $0 == tag }
    }

    /// Tags have no column: they are kept among the other members.
    private static let tagsKey = "tags"

    public static let columns = ["id", "domain_id", "name", "enabled", "description", "parent_id", "extra"]

    public var values: [ColumnValue] {
        [
            .text(id), .text(domainID ?? ""), .text(name), .integer(isEnabled ? 1 : 0), .text(description), .text(parentID),
            .text(tags.isEmpty ? extra.text : extra.text(keeping: [Self.tagsKey: tagList])),
        ]
    }

    public init?(values: [ColumnValue]) {
        guard values.count == Self.columns.count, case .text(let id) = values[0], case .text(let domain) = values[1],
            case .text(let name) = values[2], case .integer(let enabled) = values[3], case .text(let description) = values[4],
            case .text(let parent) = values[5], case .text(let extra) = values[6]
        else { return nil }
        self.init(id: id, domainID: domain, name: name, description: description)
        isEnabled = enabled == 1
        parentID = parent
        self.extra = ExtraMembers(text: extra)
        tags = self.extra.takeOut(Self.tagsKey)?.arrayValue?.compactMap(\.stringValue) ?? []
    }
}
