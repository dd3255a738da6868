import Addressing
import NetworkModel

extension AddressScope: ProjectResource {
    public static var blank: AddressScope { AddressScope(id: .placeholder, projectID: "", version: .v4) }

    /// Without the standard attributes: Neutron's address scopes have none.
    public static let table = ResourceTable<AddressScope>(
        singular: "address_scope", plural: "address_scopes", collection: "address-scopes", notFoundName: "AddressScope",
        attributes: identityAttributes + [
            .stored("name", \.name, .name(maximum: 255), [.create, .update, .filter, .sort], default: "", from: "address-scope"),
            .stored("ip_version", \.version, .any, [.create, .required, .filter, .sort], from: "address-scope"),
            .stored(
                "shared", \.isShared, .boolean, [.create, .update, .filter, .sort, .guarded], default: false, from: "address-scope"),
        ])
}

extension SubnetPool: ProjectResource {
    public static var blank: SubnetPool { SubnetPool(id: .placeholder, projectID: "", version: .v4) }

    private static let length = AttributeType.integer(0...Int.max)

    public static let table = ResourceTable<SubnetPool>(
        singular: "subnetpool", plural: "subnetpools", collection: "subnetpools", notFoundName: "SubnetPool",
        attributes: identityAttributes + [
            .stored(
                "name", \.name, .name(maximum: 255, mayBeEmpty: false), [.create, .update, .required, .filter, .sort],
                from: "subnet_allocation"),
            .keptRequest("prefixes", \.prefixes, .list(of: .cidr), [.create, .update, .required], from: "subnet_allocation"),
            .keptRequest("ip_version", \.version, .any, [.filter, .sort], from: "subnet_allocation"),
            .keptRequest(
                "default_prefixlen", \.shownDefaultPrefixLength, length, [.create, .update, .filter, .sort], from: "subnet_allocation"),
            .keptRequest(
                "min_prefixlen", \.shownMinimumPrefixLength, length, [.create, .update, .filter, .sort], from: "subnet_allocation"),
            .keptRequest(
                "max_prefixlen", \.shownMaximumPrefixLength, length, [.create, .update, .filter, .sort], from: "subnet_allocation"),
            .keptRequest(
                "default_quota", \.defaultQuota, .integer(0...Int.max), [.create, .update, .filter, .sort], from: "subnet_allocation"),
            .stored(
                "is_default", \.isDefault, .boolean, [.create, .update, .filter, .sort, .guarded], default: false,
                from: "subnet_allocation"),
            .stored("shared", \.isShared, .boolean, [.create, .filter, .sort, .guarded], default: false, from: "subnet_allocation"),
            .keptRequest(
                "address_scope_id", \.addressScopeID, .nullable(.uuid), [.create, .update, .filter, .sort], from: "address-scope"),
        ] + standardAttributes)
}

/// A number that clients are shown as a text, as Neutron shows the prefix lengths of subnet pools.
struct NumberAsText: AttributeValue {
    var number: Int

    static var columnType: ColumnType { .integer }
    var columnValue: ColumnValue { .integer(number) }
    init(_ number: Int) { self.number = number }
    init?(columnValue: ColumnValue) {
        guard let number = Int(columnValue: columnValue) else { return nil }
        self.number = number
    }
    init(json: JSONValue) throws(InvalidValue) { number = try Int(json: json) }
    func write(to writer: inout JSONWriter) { writer.string(String(number)) }
    static func filterValue(_ text: String) -> ColumnValue? { Int.filterValue(text) }
    static func shownType(_ type: AttributeType) -> AttributeType { .string(maximum: nil) }
}

extension SubnetPool {
    var shownDefaultPrefixLength: NumberAsText {
        get { NumberAsText(defaultPrefixLength) }
        set { defaultPrefixLength = newValue.number }
    }
    var shownMinimumPrefixLength: NumberAsText {
        get { NumberAsText(minimumPrefixLength) }
        set { minimumPrefixLength = newValue.number }
    }
    var shownMaximumPrefixLength: NumberAsText {
        get { NumberAsText(maximumPrefixLength) }
        set { maximumPrefixLength = newValue.number }
    }
}
