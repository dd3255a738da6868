import NetworkModel

/// A resource of the API: a plain struct of `NetworkModel` with one table that says everything of its attributes.
public protocol APIResource: Sendable {
    var id: ResourceID { get set }
    /// An instance with placeholders, into which a row is loaded.
    static var blank: Self { get }
    static var table: ResourceTable<Self> { get }
}

/// A row holds what its column's type never writes.
public struct DamagedColumn: Error, Hashable, Sendable {
    public var name: String
}

/// Some attributes of a table, by their positions.
public struct AttributeSelection: Sendable, Hashable {
    /// Attributes of one table.
    static let maximumCount = 64

    private var bits: UInt64

    public static let all = AttributeSelection(bits: .max)
    public static let none = AttributeSelection(bits: 0)

    @inline(__always) public func contains(_ position: Int) -> Bool { bits & (1 &<< UInt64(truncatingIfNeeded: position)) != 0 }
    public mutating func insert(_ position: Int) { bits |= 1 << UInt64(position) }
    public mutating func remove(_ position: Int) { bits &= ~(1 << UInt64(position)) }
}

/// The declaration of a resource: its names and its attributes in the order in which they are shown.
public struct ResourceTable<Resource: APIResource>: Sendable {
    /// The member of a body: `security_group_rule`.
    public let singular: String
    /// The member of a list's body, and the SQL table: `security_group_rules`.
    public let plural: String
    /// The path below /v2.0: `security-group-rules`.
    public let collection: String
    /// The start of `…NotFound`: `SecurityGroupRule`.
    public let notFoundName: String
    public let attributes: [Attribute<Resource>]
    /// Positions in `attributes` by name.
    public let positions: [String: Int]
    /// What the row holds, in the order of the SQL columns.
    public let columns: [Column<Resource>]
    /// What POST assumes for attributes that it does not name.
    let defaultValues: [String: JSONValue]
    /// The attributes that POST must name.
    let requiredPositions: [Int]
    /// The attributes that are plain stored properties, with what puts a validated value into the resource.
    let assignments: [(name: String, assign: @Sendable (inout Resource, JSONValue) throws(InvalidValue) -> Void)]
    /// Makes a resource of a row, given the value of the column at a position of ``columns``.
    ///
    /// A closure made here, where the compiler knows the resource's type: a loop over the columns elsewhere would look that type up for each value.
    public let load: @Sendable (_ value: (Int) -> ColumnValue) throws(DamagedColumn) -> Resource
    /// Writes the attributes of a selection as members of an object that is open. A closure for the same reason as ``load``.
    private let writeMembers: @Sendable (_ resource: Resource, _ selection: AttributeSelection, _ writer: inout JSONWriter) -> Void

    public init(singular: String, plural: String, collection: String, notFoundName: String, attributes: [Attribute<Resource>]) {
        precondition(Set(attributes.map(\.name)).count == attributes.count, "the attributes of \(plural) have different names")
        precondition(attributes.count <= AttributeSelection.maximumCount, "\(plural) have more attributes than a selection can hold")
        self.singular = singular
        self.plural = plural
        self.collection = collection
        self.notFoundName = notFoundName
        self.attributes = attributes
        positions = Dictionary(uniqueKeysWithValues: attributes.enumerated().map { ($1.name, $0) })
        let optional = attributes.filter { !$0.access.contains(.required) }
        defaultValues = optional.reduce(into: [:]) { $0[$1.name] = $1.defaultValue }
        requiredPositions = attributes.indices.filter { attributes[$0].access.contains(.required) }
        assignments = attributes.compactMap { attribute in attribute.assign.map { (name: attribute.name, assign: $0) } }
        let columns = attributes.compactMap(\.column)
        self.columns = columns
        load = { (value: (Int) -> ColumnValue) throws(DamagedColumn) in
            var resource = Resource.blank
            var position = 0
            while position < columns.count {
                guard columns[position].load(&resource, value(position)) else { throw DamagedColumn(name: columns[position].name) }
                position += 1
            }
            return resource
        }
        let members = attributes.enumerated().compactMap { position, attribute in
            attribute.write.map { ShownMember(position: position, key: JSONKey(attribute.name), write: $0) }
        }
        writeMembers = { resource, selection, writer in
            var index = 0
            while index < members.count {
                if selection.contains(members[index].position) {
                    writer.key(members[index].key)
                    members[index].write(resource, &writer)
                }
                index += 1
            }
        }
    }

    /// An attribute as far as writing needs it.
    private struct ShownMember: Sendable {
        let position: Int
        let key: JSONKey
        let write: @Sendable (Resource, inout JSONWriter) -> Void
    }

    public subscript(name: String) -> Attribute<Resource>? { positions[name].map { attributes[$0] } }

    /// Writes the resource as an object; `fields` empty means all that is visible. `more` adds members that are no attributes.
    public func write(
        _ resource: Resource, fields: Set<String> = [], to writer: inout JSONWriter, more: (inout JSONWriter) -> Void = { _ in }
    ) {
        write(resource, selection(fields: fields), to: &writer, more: more)
    }

    /// Writes the resource with the attributes of a selection, which a list makes once for all its rows.
    public func write(
        _ resource: Resource, _ selection: AttributeSelection, to writer: inout JSONWriter, more: (inout JSONWriter) -> Void = { _ in }
    ) {
        writer.object { writer in
            writeMembers(resource, selection, &writer)
            more(&writer)
        }
    }

    /// The attributes that `fields` names; empty means all.
    public func selection(fields: Set<String> = []) -> AttributeSelection {
        guard !fields.isEmpty else { return .all }
        return fields.reduce(into: .none) { selection, name in if let position = positions[name] { selection.insert(position) } }
    }

    /// `Port 1b… could not be found.`
    public func notFound(_ id: String) -> APIError {
        let words = singular.split(separator: "_").map(String.init)
        let label = ([words[0].prefix(1).uppercased() + words[0].dropFirst()] + words.dropFirst()).joined(separator: " ")
        return APIError(status: 404, type: "\(notFoundName)NotFound", message: "\(label) \(id) could not be found.")
    }
}
