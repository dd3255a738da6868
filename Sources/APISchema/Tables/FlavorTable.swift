import NetworkModel

/// Neutron lets null pass, and its objects take it for what they assume.
private let enabled = AttributeType.nullMeans(true, .boolean)

extension Flavor: APIResource {
    /// The kind of service whose flavors routers have.
    public static let routerServiceType = "L3_ROUTER_NAT"
    /// What Neutron lets flavors be of: the services that it has loaded. Those that this server has go by these names.
    public static let serviceTypes: Set<String> = [
        "CORE", "CONNTRACKHELPER", "FLAVORS", routerServiceType, "NETWORK_SEGMENT_RANGE", "PORTFORWARDING", "QOS",
    ]

    public static var blank: Flavor { Flavor(id: .placeholder, serviceType: routerServiceType) }

    public static let table = ResourceTable<Flavor>(
        singular: "flavor", plural: "flavors", collection: "flavors", notFoundName: "Flavor",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort], from: "flavors"),
            .stored("name", \.name, .name(maximum: 255), [.create, .update, .filter, .sort], default: "", from: "flavors"),
            .keptRequest(
                "description", \.description, .nullable(.string(maximum: 1024)), [.create, .update, .filter, .sort], default: "",
                from: "flavors"),
            // A name of its own error: the operation checks it.
            .keptRequest("service_type", \.serviceType, .any, [.create, .required, .filter, .sort], from: "flavors"),
            .stored("enabled", \.isEnabled, enabled, [.create, .update, .filter, .sort], default: true, from: "flavors"),
            .keptRequest(
                "service_profiles", \.serviceProfileIDs, .list(of: .uuid), [.create, .update], default: [], from: "flavors"),
        ])
}

extension ServiceProfile: APIResource {
    public static var blank: ServiceProfile { ServiceProfile(id: .placeholder) }

    public static let table = ResourceTable<ServiceProfile>(
        singular: "service_profile", plural: "service_profiles", collection: "service_profiles", notFoundName: "ServiceProfile",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort], from: "flavors"),
            .keptRequest(
                "description", \.description, .nullable(.string(maximum: 1024)), [.create, .update, .filter, .sort], default: "",
                from: "flavors"),
            .stored("driver", \.driver, .string(maximum: 1024), [.create, .update, .filter, .sort], default: "", from: "flavors"),
            .stored("enabled", \.isEnabled, enabled, [.create, .update, .filter, .sort], default: true, from: "flavors"),
            // Any text; clients send what they like.
            .stored("metainfo", \.metainfo, .string(maximum: 4096), [.create, .update, .sort], default: "", from: "flavors"),
        ])
}
