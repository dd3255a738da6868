import Addressing
import HostModel
import NetworkModel

/// All rows that decide what hosts must realise, and the indexes that make one change cheap: ``apply(_:)`` says which items of which hosts
/// may have become different, ``item(_:for:)`` says what an item is now.
///
/// The rule behind the code: an item is a pure function of the rows, and every row change notes each (host, item) whose function reads that
/// row. To note one too many costs a comparison (``HostFeed`` sends no item that is equal to the sent one); to note one too few is a bug,
/// which the tests look for by recomputing every host from nothing after each step.
///
/// A value confined to its owner: no lock, no I/O, no clock. Two topologies of the same rows are equal, indexes included, whatever happened
/// before.
public struct Topology: Sendable, Equatable {
    public let settings: ProjectionSettings

    // Rows.
    var networks: [ResourceID: Network] = [:]
    var subnets: [ResourceID: Subnet] = [:]
    var ports: [ResourceID: Port] = [:]
    var routers: [ResourceID: Router] = [:]
    var members: [RouterMemberKey: RouterMember] = [:]
    var floatingIPs: [ResourceID: FloatingIP] = [:]
    var qosPolicies: [ResourceID: QoSPolicy] = [:]
    var groups: [ResourceID: SecurityGroup] = [:]
    var rules: [ResourceID: SecurityGroupRule] = [:]
    var addressGroups: [ResourceID: AddressGroup] = [:]
    /// All that matters of a host, parsed once: it is read for every remote port.
    var tunnelAddresses: [String: IPAddress] = [:]
    /// Host → names of the physical networks that it has an interface on.
    var physicalNetworks: [String: Set<String>] = [:]
    var dhcpHosts = SetIndex<ResourceID, String>()
    var dhcpNetworks = SetIndex<String, ResourceID>()
    /// What matters of agents: those of routers that are administratively down.
    var drainingAgents: Set<ResourceID> = []
    /// And those of DHCP whose hosts serve no metadata: agent → host, and back.
    var agentsWithoutMetadata: [ResourceID: String] = [:]
    var agentsWithoutMetadataByHost = SetIndex<String, ResourceID>()

    /// What ports' profiles say of instances, parsed once: they may be long, and many hosts may ask for them. Ports of which nothing is said are missing.
    var instanceFacts: [ResourceID: InstanceFacts] = [:]

    // Indexes over rows.
    var subnetsByNetwork = SetIndex<ResourceID, ResourceID>()
    var portsByNetwork = SetIndex<ResourceID, ResourceID>()
    var portsByHost = SetIndex<String, ResourceID>()
    var portsByGroup = SetIndex<ResourceID, ResourceID>()
    var portsByRouter = SetIndex<ResourceID, ResourceID>()
    var dhcpPortsByNetwork = SetIndex<ResourceID, ResourceID>()
    /// Interfaces, gateways and HA ports.
    var routerPortsByNetwork = SetIndex<ResourceID, ResourceID>()
    var memberHosts = SetIndex<ResourceID, String>()
    var routersByHost = SetIndex<String, ResourceID>()
    var membersByHAPort = SetIndex<ResourceID, RouterMemberKey>()
    var routersByAgent = SetIndex<ResourceID, RouterMemberKey>()
    var floatingIPsByRouter = SetIndex<ResourceID, ResourceID>()
    var floatingIPsByPort = SetIndex<ResourceID, ResourceID>()
    /// Policy → floating IPs that have it.
    var floatingIPsByQoSPolicy = SetIndex<ResourceID, ResourceID>()
    /// Policy → routers whose gateway has it.
    var routersByQoSPolicy = SetIndex<ResourceID, ResourceID>()
    /// External network → its floating IPs, and routers with their gateway there: they may have its policy.
    var floatingIPsByNetwork = SetIndex<ResourceID, ResourceID>()
    var routersByGatewayNetwork = SetIndex<ResourceID, ResourceID>()
    /// Policy → ports that have it as their own.
    var portsByQoSPolicy = SetIndex<ResourceID, ResourceID>()
    /// Policy → networks that have it.
    var networksByQoSPolicy = SetIndex<ResourceID, ResourceID>()
    var rulesByGroup = SetIndex<ResourceID, ResourceID>()

    // Derived facts that hold for as long as there is a reason.
    /// Network → hosts that carry it. The reasons: each instance port bound there, the DHCP binding, each port of each router member there.
    var presence = CountIndex<ResourceID, String>()
    /// The same from the other side.
    var networksByHost = SetIndex<String, ResourceID>()
    /// Group → hosts that filter by it. The reasons: each instance port bound there that is a member.
    var groupHosts = CountIndex<ResourceID, String>()
    /// Group → groups that its rules name as remote. The reasons: those rules.
    var remoteGroups = CountIndex<ResourceID, ResourceID>()
    /// Remote group → groups whose rules name it.
    var referringGroups = CountIndex<ResourceID, ResourceID>()

    /// Group → address groups that its rules name. The reasons: those rules.
    var remoteAddressGroups = CountIndex<ResourceID, ResourceID>()
    /// Address group → groups whose rules name it.
    var groupsByAddressGroup = CountIndex<ResourceID, ResourceID>()

    public init(settings: ProjectionSettings = ProjectionSettings()) { self.settings = settings }

    /// A topology of stored rows, in any order.
    public init(rows: some Sequence<TopologyChange.Row>, settings: ProjectionSettings = ProjectionSettings()) {
        self.init(settings: settings)
        var concerned = ConcernedKeys(isRecording: false)
        for row in rows { put(row, &concerned) }
    }

    /// Applies changes of one or several transactions, in their order.
    ///
    /// Returns the concerned hosts, and the keys of those of their items that may have come, changed or gone.
    public mutating func apply(_ changes: some Sequence<TopologyChange>) -> [String: Set<HostItemKey>] {
        var concerned = ConcernedKeys(isRecording: true)
        for change in changes {
            switch change {
            case .put(let row): put(row, &concerned)
            case .drop(let key): drop(key, &concerned)
            }
        }
        return concerned.byHost
    }

    private mutating func put(_ row: TopologyChange.Row, _ concerned: inout ConcernedKeys) {
        switch row {
        case .network(let row): replaceNetwork(row.id, with: row, &concerned)
        case .subnet(let row): replaceSubnet(row.id, with: row, &concerned)
        case .port(let row): replacePort(row.id, with: row, &concerned)
        case .router(let row): replaceRouter(row.id, with: row, &concerned)
        case .routerMember(let row):
            replaceMember(RouterMemberKey(routerID: row.routerID, hostID: row.hostID), with: row, &concerned)
        case .floatingIP(let row): replaceFloatingIP(row.id, with: row, &concerned)
        case .qosPolicy(let row): replaceQoSPolicy(row.id, with: row, &concerned)
        case .securityGroup(let row): replaceGroup(row.id, with: row, &concerned)
        case .securityGroupRule(let row): replaceRule(row.id, with: row, &concerned)
        case .addressGroup(let row): replaceAddressGroup(row.id, with: row, &concerned)
        case .host(let row): replaceHost(row.id, with: row, &concerned)
        case .dhcpBinding(let row): setDHCP(row, bound: true, &concerned)
        case .agent(let row): replaceAgent(row.id, with: row, &concerned)
        }
    }

    private mutating func drop(_ key: TopologyChange.Key, _ concerned: inout ConcernedKeys) {
        switch key {
        case .network(let id): replaceNetwork(id, with: nil, &concerned)
        case .subnet(let id): replaceSubnet(id, with: nil, &concerned)
        case .port(let id): replacePort(id, with: nil, &concerned)
        case .router(let id): replaceRouter(id, with: nil, &concerned)
        case .routerMember(let key): replaceMember(key, with: nil, &concerned)
        case .floatingIP(let id): replaceFloatingIP(id, with: nil, &concerned)
        case .qosPolicy(let id): replaceQoSPolicy(id, with: nil, &concerned)
        case .securityGroup(let id): replaceGroup(id, with: nil, &concerned)
        case .securityGroupRule(let id): replaceRule(id, with: nil, &concerned)
        case .addressGroup(let id): replaceAddressGroup(id, with: nil, &concerned)
        case .host(let id): replaceHost(id, with: nil, &concerned)
        case .dhcpBinding(let row): setDHCP(row, bound: false, &concerned)
        case .agent(let id): replaceAgent(id, with: nil, &concerned)
        }
    }
}
