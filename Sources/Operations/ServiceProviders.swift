import APISchema
import AccessPolicy
import NetworkModel

/// What realises a kind of service, as `GET /service-providers` shows it. Those of routers are built in.
public struct ServiceProvider: Sendable, Hashable {
    public var name: String
    public var serviceType = Flavor.routerServiceType
    public var isDefault = false
    /// How service profiles name it. The names are Neutron's, so that its scripts work.
    public var driver: String
    /// What the provider's routers are.
    public var isHighlyAvailable: Bool

    public static let all = [
        ServiceProvider(
            name: "ha", driver: "neutron.services.l3_router.service_providers.ha.HaDriver", isHighlyAvailable: true),
        ServiceProvider(
            name: "single_node", driver: "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver",
            isHighlyAvailable: false),
    ]
}

extension Operations {
    /// The providers that the caller may see (`GET /service-providers`).
    public func serviceProviders(caller: Caller) async throws -> [ServiceProvider] {
        try await read(caller) { verb in try verb.allows("get_service_provider") ? ServiceProvider.all : [] }
    }

    /// Whether the caller may see which types of rules QoS policies can have (`GET /qos/rule-types`).
    public func mayListRuleTypes(caller: Caller) async throws -> Bool {
        try await read(caller) { verb in try verb.allows("get_rule_type") }
    }
}
