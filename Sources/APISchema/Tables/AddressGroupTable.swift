import NetworkModel

extension AddressGroup: ProjectResource {
    public static var blank: AddressGroup { AddressGroup(id: .placeholder, projectID: "") }

    /// Its description may be longer than that of other resources.
    public static let table = ResourceTable<AddressGroup>(
        singular: "address_group", plural: "address_groups", collection: "address-groups", notFoundName: "AddressGroup",
        attributes: identityAttributes + [
            .stored("name", \.name, .name(maximum: 255), [.create, .update, .filter, .sort], default: "", from: "address-group"),
            .stored(
                "description", \.standard.description, .string(maximum: 1024), [.create, .update, .filter, .sort], default: "",
                from: "address-group"),
            // Any: the operation gives prefixes with host bits their usual form.
            .keptRequest("addresses", \.addresses, .any, [.create], from: "address-group"),
            .keptRequest("shared", \.isShared, .boolean, [], from: "address-group"),
        ] + standardAttributes.filter { $0.name != "description" })
}
