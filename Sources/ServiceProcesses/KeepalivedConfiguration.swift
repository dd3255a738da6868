import Addressing
import KernelInterface

/// What keepalived does for one member of a VRRP group (one HA router on one host), and its rendering as keepalived.conf.
///
/// The states of a member, as keepalived 2.2.7 was seen to go through them with this configuration:
///
///           start                 3 advertisements + skew missed,
///             │                   or one of priority 0 heard
///             ▼                 ┌─────────────────────────────────┐
///     ┌──────────────┐ ─────────┘                                 ▼
///     │    BACKUP    │                                    ┌──────────────┐
///     │ no addresses │ ◄───────────────────────────────── │    MASTER    │
///     └──────────────┘   hears a better master (priority, │ all addresses│
///         ▲      │       then address), or one of its     └──────────────┘
///      up │      │ down  own addresses or routes was deleted      │
///         │      ▼                                                │ down
///     ┌──────────────┐                                            │
///     │    FAULT     │ ◄──────────────────────────────────────────┘
///     └──────────────┘   a link of an address is down or missing
///
/// Facts that the choices rest on, each observed with keepalived 2.2.7:
///
/// - Every member starts as BACKUP with `nopreempt`: a member that returns does not take the addresses back.
/// - Only the primary address is advertised. It depends on nothing but the group's number, so a reload never changes it, and SIGHUP
///   adds and removes the other addresses without leaving MASTER (40 reloads in a second: no transition, no packet lost).
/// - Addresses and routes are tracked (no `no_track`): when somebody deletes one by hand, the master resigns, and the next one has
///   everything within the skew (22 ms here). That may be the same one, which waits no longer than the others. With `no_track` the
///   address would stay deleted until the next election.
/// - The device of the advertisements is tracked by itself; `track_interface` for it is a remark of `keepalived -t`.
/// - `dynamic_interfaces`: without it, a reload that names a missing device ends keepalived and leaves all addresses behind.
///   With it the member is in FAULT until the device is there.
/// - A master that hears a lower priority stays silent (`lower_prio_no_advert`) and announces its addresses again. One that hears a higher priority
///   says so before it gives way (`higher_prio_send_advert`): the one that stays may hear of it no other way, and the switches would go on
///   sending to the one that gave way, which without agents lasted for half a minute. A last word of higher priority than the one that stays
///   would throw it down: agents keep it in (`ElectionAction.mute`), where they make a master give way to a lower priority.
/// - Advertisements go to each peer's own address, so that two groups of one network may have one number. Without any peer keepalived
///   speaks to the multicast group instead, and takes the first peer that a reload names for the end of the group: the addresses are gone
///   for three seconds. So the peer of a member without peers is the multicast group, which nobody listens to and nobody is asked for by
///   ARP; the reload that names a real one changes nothing else.
/// - On start as BACKUP, keepalived removes the addresses of its configuration that it finds, and nothing else. What an earlier
///   configuration set, ``KeepalivedDaemon`` removes before the start.
///
/// See keepalived.conf(5), RFC 3768 (VRRP version 2) and RFC 5798 (version 3).
public struct KeepalivedConfiguration: Hashable, Sendable {
    /// 1...255; one group of the network that ``interface`` is on.
    public var virtualRouterID: Int
    /// The device that advertisements are sent from and heard on. It has an address of its own.
    public var interface: String
    /// 1...254. The skew, that a backup waits longer than three intervals, is (256 − priority)/256 of an interval (version 3) or second.
    public var priority: Int
    /// 2 or 3.
    public var version: Int
    public var advertisementIntervalMilliseconds: Int
    /// The address of ``interface`` that advertisements come from. A member with another one is another member.
    public var source: IPv4Address
    /// The other members' sources. May change by reload.
    public var peers: [IPv4Address]
    /// Version 2 only (RFC 2338, section 5.3.6); at most 8 octets count.
    public var password: String?
    /// What the master holds beside the primary address.
    public var addresses: Set<LinkAddress>
    /// What the master routes beside the prefixes of its addresses.
    public var routes: Set<Route>
    /// Named pipe that every change of state is written to: see ``KeepalivedNotification``.
    public var notifyPipe: String

    public init(
        virtualRouterID: Int, interface: String, priority: Int, version: Int, advertisementIntervalMilliseconds: Int,
        source: IPv4Address, peers: [IPv4Address], password: String? = nil, addresses: Set<LinkAddress> = [], routes: Set<Route> = [],
        notifyPipe: String
    ) {
        precondition((1...255).contains(virtualRouterID), "a VRRP group's number has 8 bits and is not 0")
        precondition((1...254).contains(priority), "priority 0 resigns and 255 owns the addresses")
        self.virtualRouterID = virtualRouterID
        self.interface = interface
        self.priority = priority
        self.version = version
        self.advertisementIntervalMilliseconds = advertisementIntervalMilliseconds
        self.source = source
        self.peers = peers
        self.password = password
        self.addresses = addresses
        self.routes = routes
        self.notifyPipe = notifyPipe
    }

    /// The address that marks the master: 169.254.0.`virtualRouterID`/24.
    public var primaryAddress: LinkAddress { Self.primaryAddress(virtualRouterID: virtualRouterID, interface: interface) }

    public static func primaryAddress(virtualRouterID: Int, interface: String) -> LinkAddress {
        let address = IPv4Address(169, 254, 0, UInt8(truncatingIfNeeded: virtualRouterID))
        return LinkAddress(link: interface, address: InterfaceAddress(.v4(address), prefixLength: 24))
    }
}

// MARK: - Rendering

extension KeepalivedConfiguration {
    /// The contents of keepalived.conf. Equal configurations have equal texts.
    public var rendered: String {
        (globalDefinitions + instance).map { $0 + "\n" }.joined()
    }

    private var globalDefinitions: [String] {
        [
            "global_defs {",
            "    router_id neutrino",
            "    vrrp_version \(version)",
            "    vrrp_garp_master_refresh 0",
            "    vrrp_notify_fifo \(Self.quoted(notifyPipe))",
            "    dynamic_interfaces",
            // Realtime scheduling made no failover shorter; -1 only silences the advice to try it.
            "    max_auto_priority -1",
            // No scripts are run; this silences the search for the user keepalived_script.
            "    script_user root",
            "}",
        ]
    }

    private var instance: [String] {
        var lines = [
            "vrrp_instance VR_\(virtualRouterID) {",
            "    state BACKUP",
            "    interface \(interface)",
            "    virtual_router_id \(virtualRouterID)",
            "    priority \(priority)",
            "    garp_master_delay 1",
            // Each is flooded to every port of an external network. One at once, and one after the delay for whoever missed it: with the default, 5,
            // 200 routers that take over together took seconds for their announcements alone.
            "    garp_master_repeat 1",
            // When two masters meet, the one that stays announces its addresses again.
            "    garp_lower_prio_delay 0",
            "    garp_lower_prio_repeat 1",
            "    lower_prio_no_advert",
            "    higher_prio_send_advert",
            "    nopreempt",
            "    advert_int \(intervalText)",
        ]
        if version == 2, let password {
            lines += block(
                "authentication", ["auth_type PASS", "auth_pass \(Self.quoted(String(decoding: password.utf8.prefix(8), as: UTF8.self)))"])
        }
        lines.append("    unicast_src_ip \(source)")
        lines += block("unicast_peer", (peers.isEmpty ? [VRRPAdvertisement.group] : peers.sorted()).map(\.description))
        lines += block("virtual_ipaddress", [Self.text(primaryAddress)])
        lines += block("virtual_ipaddress_excluded", sortedAddresses.map(Self.text))
        lines += block("virtual_routes", sortedRoutes.map(Self.text))
        return lines + ["}"]
    }

    /// Nothing at all when there is nothing to put into it.
    private func block(_ name: String, _ entries: [String]) -> [String] {
        if entries.isEmpty { return [] }
        return ["    \(name) {"] + entries.map { "        " + $0 } + ["    }"]
    }

    /// Link-local addresses first: what the kernel says of the others comes from them, and nothing of their removal may be said any more.
    private var sortedAddresses: [LinkAddress] {
        addresses.sorted { left, right in
            if Self.isLinkLocal(left) != Self.isLinkLocal(right) { return Self.isLinkLocal(left) }
            return left.address == right.address ? left.link < right.link : left.address < right.address
        }
    }

    /// fe80::/10 (RFC 4291).
    private static func isLinkLocal(_ address: LinkAddress) -> Bool {
        guard case .v6(let address) = address.address.address else { return false }
        return address.rawValue >> 118 == 0x3FA
    }

    /// Routes to what is on the link come first: others may need them to reach their gateway.
    private var sortedRoutes: [Route] {
        routes.sorted { left, right in
            if (left.gateway == nil) != (right.gateway == nil) { return left.gateway == nil }
            guard left.table == right.table else { return left.table < right.table }
            return left.destination == right.destination ? left.link < right.link : left.destination < right.destination
        }
    }

    /// IPv6: not probed for, since no other has it and it is needed now; and one with a whole prefix is not deprecated, as keepalived would
    /// have it.
    private static func text(_ address: LinkAddress) -> String {
        let text = "\(address.address) dev \(address.link)"
        if address.address.address.version == .v4 { return text }
        return text + (address.address.prefixLength == 128 ? " -nodad preferred_lft forever" : " -nodad")
    }

    private static func text(_ route: Route) -> String {
        let table = route.table == Route.mainTable ? "" : " table \(route.table)"
        if route.isMultiPath {
            // keepalived tracks routes by their one device, and warns of those that have several unless it is told not to.
            let hops = route.nextHops.map { " nexthop" + ($0.gateway.map { " via \($0)" } ?? "") + " dev \($0.link) weight 1" }
            return "\(route.destination)\(table) no_track" + hops.joined()
        }
        guard let gateway = route.gateway else { return "\(route.destination) dev \(route.link) scope link\(table)" }
        return "\(route.destination) via \(gateway) dev \(route.link)\(table)"
    }

    /// Seconds. Version 3 counts hundredths (12 bits), version 2 whole seconds (8 bits): rounded up to what the version can say.
    private var intervalText: String {
        let units = VRRPAdvertisement.wireInterval(milliseconds: advertisementIntervalMilliseconds, version: version)
        if version == 2 { return "\(units)" }
        let fraction = units % 100
        if fraction == 0 { return "\(units / 100)" }
        if fraction % 10 == 0 { return "\(units / 100).\(fraction / 10)" }
        return "\(units / 100)." + (fraction < 10 ? "0" : "") + "\(fraction)"
    }

    /// Between quotation marks, as keepalived.conf(5) has it, unless nothing in the text needs them.
    private static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
        if isPlain { return text }
        let escaped = text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
        return "\"\(escaped)\""
    }
}
