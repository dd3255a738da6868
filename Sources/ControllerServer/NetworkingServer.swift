import APISchema
import HostProjection
import Hummingbird
import Identity
import IdentityService
import Logging
import NIOCore
import NetworkModel
import Operations
import ServiceLifecycle
import Store

/// What a server was told when it was started.
public struct ServerConfiguration: Sendable {
    /// Where it listens: loopback by default, because with authentication `none` everybody who reaches it is an administrator.
    public var address: String
    public var port: Int
    public var database: StoreLocation
    public var operations: ServerSettings
    public var projection: ProjectionSettings
    public var authentication: AuthenticationMode
    /// The file with what agents and readers of `/metrics` must present, made when it does not exist; nil: they need nothing.
    public var agentSecretFile: String?
    /// The file with rules that take the place of Neutron's; nil: Neutron's alone.
    public var policyFile: String?
    /// Pages of which origins may use the API from a browser.
    public var crossOrigin = CrossOriginRules()
    /// Proxies that tell where requests came from.
    public var trustedProxies = TrustedProxies()
    /// Connections beyond so many wait until others end (``ConnectionLimit``). An agent holds two.
    public var maximumConnections = ServerConfiguration.defaultMaximumConnections
    public static let defaultMaximumConnections = 8192
    /// How long after its head a request may end.
    public var maximumBodySeconds = APIContext.maximumBodySeconds
    /// Nova, if it is to be told of its instances' ports.
    public var nova: NovaSettings?

    public init(
        address: String = "127.0.0.1", port: Int = 9696, database: StoreLocation, operations: ServerSettings = ServerSettings(),
        projection: ProjectionSettings = ProjectionSettings(), authentication: AuthenticationMode = .none, agentSecretFile: String? = nil,
        nova: NovaSettings? = nil
    ) {
        self.address = address
        self.port = port
        self.database = database
        self.operations = operations
        self.projection = projection
        self.authentication = authentication
        self.agentSecretFile = agentSecretFile
        self.nova = nova
    }
}

/// The server: the Networking API for clients, the feed for agents, over one store.
public struct NetworkingServer: Service {
    private let store: Store
    private let lock: ServerLock
    private let hub: FeedHub
    private let operations: Operations
    private let maintenance: MaintenanceService
    private let authenticator: any Authenticator
    private let configuration: ServerConfiguration
    private let logger: Logger
    private let identity: IdentityService?
    private let agentSecret: AgentSecret?
    private let policyWatcher: PolicyFileWatcher?
    private let onReady: @Sendable (Int) async -> Void

    /// Opens the database and reads the topology.
    ///
    /// - Parameter onReady: called with the port once the server listens.
    public init(
        configuration: ServerConfiguration, logger: Logger, now: @escaping @Sendable () -> Timestamp,
        onReady: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async throws {
        self.configuration = configuration
        self.logger = logger
        self.onReady = onReady
        let policy = PolicyBook()
        policyWatcher = try configuration.policyFile.map { try PolicyFileWatcher(path: $0, book: policy, logger: logger) }
        lock = try ServerLock(configuration.database)
        store = try Store(configuration.database, logger: logger)
        operations = Operations(
            store: store, settings: configuration.operations, policy: policy, now: now,
            random: {
                var generator = SystemRandomNumberGenerator()
                return generator.next()
            })
        maintenance = MaintenanceService(operations: operations, now: now, logger: logger)
        identity = try await Self.identity(configuration.authentication, store, logger: logger, now: now)
        authenticator = Self.authenticator(configuration, identity, logger: logger, now: now)
        agentSecret = try configuration.agentSecretFile.flatMap { AgentSecret(try AgentSecretFile.readOrMake($0, logger)) }
        try await operations.registerDefaultSegmentRanges()
        hub = try await FeedHub(store: store, settings: configuration.projection, logger: logger)
    }

    /// A connection that asks nothing for so long, or does not end what it asks, is closed. Longer than clients keep connections that they
    /// may use again, so that it is they who close them.
    private static let idleSeconds: Int64 = 180

    public func run() async throws {
        let router = self.router()
        let application = Application(
            responder: OuterResponder(
                inner: router.buildResponder(), origins: configuration.crossOrigin,
                spellings: PathSpellings(paths: router.routes.map { "\($0.path)" })),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [BodyDeadline(seconds: configuration.maximumBodySeconds)],
                    idleTimeout: .seconds(Self.idleSeconds))),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.address, port: configuration.port), serverName: "neutrino",
                availableConnectionsDelegate: ConnectionLimit(maximum: configuration.maximumConnections, logger: logger)),
            onServerRunning: { [onReady] channel in await onReady(channel.localAddress?.port ?? 0) }, logger: logger)
        try await withThrowingTaskGroup { group in
            group.addTask { try await hub.run() }
            group.addTask { try await maintenance.run() }
            if let policyWatcher { group.addTask { try await policyWatcher.run() } }
            if let nova = configuration.nova {
                let notifier = NovaNotifier(operations: operations, settings: nova, logger: logger)
                group.addTask { try await notifier.run() }
            }
            group.addTask { try await application.runService(gracefulShutdownSignals: []) }
            // When the server is asked to stop, the hub ends first and the requests at work are still answered; a failure of either ends both.
            // (waitForAll would wait for the other one first.)
            while try await group.next() != nil {}
        }
        try await authenticator.close()
        await store.close()
        lock.release()
    }

    /// The built-in identity, with what its first start makes; nil in other modes.
    private static func identity(
        _ mode: AuthenticationMode, _ store: Store, logger: Logger, now: @escaping @Sendable () -> Timestamp
    ) async throws -> IdentityService? {
        guard case .builtIn(let settings) = mode else { return nil }
        let identity = IdentityService(
            store: store, tokenLifetimeSeconds: settings.tokenLifetimeSeconds, hashCost: settings.passwordCost, logger: logger, now: now)
        try await FirstAdministrator(identity: identity, settings: settings, logger: logger).makeIfNeeded()
        return identity
    }

    private static func authenticator(
        _ configuration: ServerConfiguration, _ identity: IdentityService?, logger: Logger, now: @escaping @Sendable () -> Timestamp
    ) -> any Authenticator {
        switch (configuration.authentication, identity) {
        case (.builtIn, let identity?):
            BuiltInAuthentication(identity: identity, publicURL: configuration.operations.publicURL)
        case (.keystone(let keystone), _): KeystoneAuthentication(configuration: keystone, logger: logger, now: now)
        case (.builtIn, nil), (.none, _): NoAuthentication()
        }
    }

    private func router() -> APIRouter {
        let router = APIRouter(context: APIContext.self)
        router.addMiddleware {
            RequestIdentity(authenticator: authenticator, policy: operations.policy, agentSecret: agentSecret)
            ErrorAnswers()
            RequestChecks()
        }
        if let identity {
            IdentityRoutes(
                identity: identity, publicURL: configuration.operations.publicURL, proxies: configuration.trustedProxies
            ).addRoutes(to: router)
        }
        addNetworkingRoutes(to: router)
        FeedRoutes(hub: hub, operations: operations).addRoutes(to: router)
        OpenAPIRoutes.addRoutes(to: router)
        MethodAnswers.addRoutes(to: router)
        return router
    }

    private func addNetworkingRoutes(to router: APIRouter) {
        ResourceRoutes<Network>(operations: operations).addRoutes(to: router)
        ResourceRoutes<Subnet>(operations: operations).addRoutes(to: router)
        ResourceRoutes<Port>(operations: operations).addRoutes(to: router)
        PortBindingRoutes(operations: operations).addRoutes(to: router)
        ResourceRoutes<NetworkModel.Router>(operations: operations).addRoutes(to: router)
        ResourceRoutes<FloatingIP>(operations: operations).addRoutes(to: router)
        ChildRoutes<PortForwarding>(operations: operations).addRoutes(to: router)
        ChildRoutes<ConnectionHelper>(operations: operations).addRoutes(to: router)
        ResourceRoutes<SecurityGroup>(operations: operations).addRoutes(to: router)
        ResourceRoutes<SecurityGroupRule>(operations: operations, methods: [.post, .put, .delete]).addRoutes(to: router)
        ResourceRoutes<Agent>(operations: operations, methods: [.put, .delete]).addRoutes(to: router)
        TagRoutes<Network>(operations: operations).addRoutes(to: router)
        TagRoutes<Subnet>(operations: operations).addRoutes(to: router)
        TagRoutes<Port>(operations: operations).addRoutes(to: router)
        TagRoutes<NetworkModel.Router>(operations: operations).addRoutes(to: router)
        TagRoutes<FloatingIP>(operations: operations).addRoutes(to: router)
        TagRoutes<SecurityGroup>(operations: operations).addRoutes(to: router)
        Self.addSecurityGroupRoutes(to: router, operations)
        Self.addPoolRoutes(to: router, operations)
        Self.addQoSRoutes(to: router, operations)
        ResourceRoutes<RBACPolicy>(operations: operations).addRoutes(to: router)
        RouterRoutes(operations: operations).addRoutes(to: router)
        QuotaRoutes(operations: operations).addRoutes(to: router)
        AvailabilityZoneRoutes(operations: operations).addRoutes(to: router)
        ResourceRoutes<Segment>(operations: operations).addRoutes(to: router)
        TagRoutes<Segment>(operations: operations).addRoutes(to: router)
        ResourceRoutes<NetworkSegmentRange>(operations: operations).addRoutes(to: router)
        TagRoutes<NetworkSegmentRange>(operations: operations).addRoutes(to: router)
        FlavorRoutes(operations: operations).addRoutes(to: router)
        TopologyRoutes(operations: operations).addRoutes(to: router)
        IPAvailabilityRoutes(operations: operations).addRoutes(to: router)
        MetricsRoutes(operations: operations, hub: hub).addRoutes(to: router)
        ExtensionDescription.addRoutes(to: router)
        Discovery.addRoutes(to: router, operations, collections: Self.collections)
    }

    private static func addSecurityGroupRoutes(to router: APIRouter, _ operations: Operations) {
        ResourceRoutes<AddressGroup>(operations: operations).addRoutes(to: router)
        AddressGroupRoutes(operations: operations).addRoutes(to: router)
        TagRoutes<AddressGroup>(operations: operations).addRoutes(to: router)
        ResourceRoutes<SecurityGroupRuleTemplate>(operations: operations, methods: [.post, .delete]).addRoutes(to: router)
        ResourceRoutes<DefaultStatefulness>(operations: operations).addRoutes(to: router)
    }

    private static func addPoolRoutes(to router: APIRouter, _ operations: Operations) {
        ResourceRoutes<AddressScope>(operations: operations).addRoutes(to: router)
        ResourceRoutes<SubnetPool>(operations: operations).addRoutes(to: router)
        TagRoutes<SubnetPool>(operations: operations).addRoutes(to: router)
        SubnetPoolRoutes(operations: operations).addRoutes(to: router)
    }

    private static func addQoSRoutes(to router: APIRouter, _ operations: Operations) {
        ResourceRoutes<QoSPolicy>(operations: operations).addRoutes(to: router)
        QoSRuleRoutes<BandwidthLimitRule>(operations: operations).addRoutes(to: router)
        QoSRuleRoutes<DSCPMarkingRule>(operations: operations).addRoutes(to: router)
        QoSRuleRoutes<PacketRateLimitRule>(operations: operations, hasAlias: false).addRoutes(to: router)
        QoSRuleTypeRoutes(operations: operations).addRoutes(to: router)
        TagRoutes<QoSPolicy>(operations: operations).addRoutes(to: router)
        // Neutron has the tags of policies without their prefix; clients use either path.
        TagRoutes<QoSPolicy>(operations: operations, collection: "policies").addRoutes(to: router)
    }

    private static let collections: [(singular: String, plural: String, path: String)] = [
        names(Network.table), names(Subnet.table), names(Port.table), names(NetworkModel.Router.table), names(FloatingIP.table),
        names(SecurityGroup.table), names(SecurityGroupRule.table), names(Agent.table), names(AddressScope.table), names(SubnetPool.table),
        names(QoSPolicy.table), names(RBACPolicy.table), names(AddressGroup.table), names(SecurityGroupRuleTemplate.table),
        names(DefaultStatefulness.table),
        ("rule_type", "rule_types", "qos/rule-types"), ("quota", "quotas", "quotas"),
        ("availability_zone", "availability_zones", "availability_zones"),
        ("floatingip_pool", "floatingip_pools", "floatingip_pools"),
        names(Segment.table), names(NetworkSegmentRange.table), names(Flavor.table), names(ServiceProfile.table),
        ("service_provider", "service_providers", "service-providers"),
        ("network_ip_availability", "network_ip_availabilities", "network-ip-availabilities"),
    ]

    private static func names<Resource>(_ table: ResourceTable<Resource>) -> (singular: String, plural: String, path: String) {
        (table.singular, table.plural, table.collection)
    }
}
