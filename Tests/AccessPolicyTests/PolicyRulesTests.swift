import APISchema
import AccessPolicy
import Testing

/// Callers of project `p` with one role and what it implies.
private let admin = Caller(userID: "a", projectID: "p", isAdmin: true, roles: ["admin", "manager", "member", "reader"])
private let manager = Caller(userID: "b", projectID: "p", isAdmin: false, roles: ["manager", "member", "reader"])
private let member = Caller(userID: "c", projectID: "p", isAdmin: false, roles: ["member", "reader"])
private let reader = Caller(userID: "d", projectID: "p", isAdmin: false, roles: ["reader"])
private let service = Caller(userID: "e", projectID: "services", isAdmin: false, roles: ["service"])
private let foreigner = Caller(userID: "f", projectID: "q", isAdmin: false, roles: ["member", "reader"])
private let nobody = Caller(userID: "g", projectID: "", isAdmin: false, roles: [])

private func allows(
    _ rule: String, _ caller: Caller, _ target: [String: JSONValue] = [:], in rules: PolicyRules = .defaults
) throws -> Bool {
    try CallerRules(rules, for: CallerProfile(caller))[rule].holds(for: caller, on: WrittenTarget(target))
}

/// Letters of who may: A(dmin), M(anager), m(ember), r(eader), s(ervice), f(oreign member), n(obody).
private func whoMay(_ rule: String, _ target: [String: JSONValue], in rules: PolicyRules = .defaults) throws -> String {
    let callers = [("A", admin), ("M", manager), ("m", member), ("r", reader), ("s", service), ("f", foreigner), ("n", nobody)]
    return try callers.map { letter, caller in try allows(rule, caller, target, in: rules) ? letter : "" }.joined()
}

@Suite("Neutron's default rules") struct PolicyRulesTests {
    @Test("All of them are there, each once") func complete() {
        // Neutron's 372, and two for operations that Neutron has no rule for.
        #expect(PolicyRules.defaults.names.count == 374)
        #expect(PolicyRules.defaults.byName.count == 374)
        #expect(PolicyRules.defaults.names.count { PolicyRules.defaults[$0]?.needsProjectScope == true } == 342)
        #expect(PolicyRules.defaults.warnings.isEmpty)
        for name in PolicyRules.defaults.names where name.contains("_") {
            #expect(PolicyRules.defaults[name]?.isOverridden == false)
        }
    }

    @Test("Not a word of them changes unnoticed") func digest() throws {
        var text = ""
        for name in PolicyRules.defaults.names.sorted() {
            let rule = try #require(PolicyRules.defaults[name])
            text += "\(name) = \(rule.check) \(rule.needsProjectScope)\n"
            #expect(try PolicyParser.parse(rule.check.description) == rule.check, "\(name)")
        }
        // FNV-1a: compared with Neutron's rules word by word when it was written down. Who changes a rule on purpose changes the number.
        let digest = text.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        #expect(digest == 9_250_425_981_271_804_863, "\(digest)")
    }

    @Test(
        "Each family allows whom Neutron allows, for a target of project p on a network of project p",
        arguments: [
            ("create_network", "AMm"), ("get_network", "AMmrs"), ("update_network", "AMm"), ("delete_network", "AMm"),
            ("create_network:shared", "A"), ("create_network:provider:network_type", "A"), ("get_network:provider:segmentation_id", "A"),
            ("create_network:tags", "AMm"), ("get_network:tags", "AMmr"),
            ("create_subnet", "AMm"), ("get_subnet", "AMmrs"), ("update_subnet", "AMm"), ("create_subnet:segment_id", "A"),
            ("create_subnet:service_types", "A"), ("get_subnet:segment_id", "A"),
            ("create_port", "AMms"), ("get_port", "AMmrs"), ("update_port", "AMms"), ("delete_port", "AMms"),
            ("create_port:mac_address", "AMms"), ("update_port:mac_address", "AMs"), ("create_port:fixed_ips:ip_address", "AMms"),
            ("create_port:binding:host_id", "As"), ("create_port:binding:profile", "s"), ("get_port:binding:vif_type", "As"),
            ("update_port:data_plane_status", "A"), ("create_port:device_owner", "AMmrsfn"), ("get_port:tags", "AMmr"),
            ("create_port_binding", "s"), ("get_port_binding", "As"), ("activate", "s"),
            ("create_router", "AMm"), ("get_router", "AMmr"), ("create_router:ha", "A"), ("get_router:ha", "A"),
            ("create_router:external_gateway_info:network_id", "AMm"), ("update_router:external_gateway_info:enable_snat", "A"),
            ("add_router_interface", "AMm"), ("add_extraroutes", "AMm"), ("add_external_gateways:external_gateways:enable_snat", "A"),
            ("create_floatingip", "AMm"), ("create_floatingip:floating_ip_address", "AM"), ("get_floatingip", "AMmr"),
            ("get_floatingip_pool", "AMmr"),
            ("create_subnetpool", "AMm"), ("create_subnetpool:is_default", "A"), ("add_prefixes", "AMm"), ("get_subnetpool", "AMmr"),
            ("create_address_scope", "AMm"), ("get_address_scope", "AMmr"), ("create_address_group", "AMm"), ("add_addresses", "AMm"),
            ("create_security_group", "AMm"), ("get_security_group", "AMmr"),
            ("create_rbac_policy", "AMm"), ("get_rbac_policy", "AMmr"), ("delete_rbac_policy", "AMm"),
            ("create_policy", "AM"), ("get_policy", "AMmr"), ("get_rule_type", "AMmrf"),
            ("get_agent", "A"), ("update_agent", "A"), ("get_dhcp-agents", "A"), ("create_l3-router", "A"),
            ("get_availability_zone", "AMmrf"), ("get_service_provider", "AMmrf"), ("get_flavor", "AMmrf"), ("create_flavor", "A"),
            ("get_service_profile", "A"), ("get_quota", "AM"), ("update_quota", "A"), ("get_network_ip_availability", "As"),
            ("get_auto_allocated_topology", "AMmr"), ("delete_auto_allocated_topology", "AMm"),
            ("get_segment", "A"), ("create_segments_tags", "A"), ("get_network_segment_range", "A"),
            ("get_default_security_group_rule", "AMmrf"), ("create_default_security_group_rule", "A"),
            ("create_trunk", "AMm"), ("get_log", "AM"), ("create_metering_label", "AM"), ("get_local_ip", "AMmr"),
            // What has no rule of its own is decided by `default`: administrators and owners.
            ("create_network:mtu", "AMmr"), ("update_port_binding", "As"),
        ])
    func families(_ rule: String, _ expected: String) throws {
        let target: [String: JSONValue] = ["project_id": "p", "network": ["project_id": "p"], "device_owner": "compute:nova"]
        // Only members of other projects differ between instances' ports and others.
        let withoutInstance = target.merging(["device_owner": ""]) { $1 }
        #expect(try whoMay(rule, rule == "delete_port" ? withoutInstance : target) == expected)
    }

    @Test("Parts belong to whom what the path names before them belongs to") func parents() throws {
        let part: [String: JSONValue] = ["ext_parent": ["tenant_id": "p"], "project_id": "q"]
        #expect(try whoMay("create_floatingip_port_forwarding", part) == "AMm")
        #expect(try whoMay("get_router_conntrack_helper", part) == "AMmr")
        #expect(try whoMay("create_policy_bandwidth_limit_rule", part) == "AM")
        #expect(try whoMay("get_alias_minimum_packet_rate_rule", part) == "AMmr")
        let rule: [String: JSONValue] = ["project_id": "q", "security_group": ["project_id": "p"]]
        #expect(try whoMay("create_security_group_rule", rule) == "AMm")
        #expect(try whoMay("get_security_group_rule", rule) == "AMmr")
    }

    @Test("A shared network is everybody's to see and to have ports on, an external one to see") func shared() throws {
        let foreign: [String: JSONValue] = ["project_id": "x", "network": ["project_id": "x", "shared": true]]
        #expect(try whoMay("get_network", ["project_id": "x", "shared": true]) == "AMmrsfn")
        #expect(try whoMay("get_network", ["project_id": "x", "router:external": true]) == "AMmrsfn")
        #expect(try whoMay("get_network", ["project_id": "x", "shared": false, "router:external": false]) == "As")
        #expect(try whoMay("create_port", foreign.merging(["networks": ["shared": true]]) { $1 }) == "AMmrsfn")
        #expect(try whoMay("create_port:mac_address", foreign) == "As")
        #expect(try whoMay("get_policy", ["project_id": "x", "shared": true]) == "AMmrsfn")
    }

    @Test("Who owns a network sees and deletes the ports of others on it") func networkOwner() throws {
        let port: [String: JSONValue] = ["project_id": "q", "network": ["project_id": "p"], "device_owner": ""]
        #expect(try whoMay("get_port", port) == "AMmrsf")
        #expect(try whoMay("delete_port", port) == "AMmsf")
        #expect(try whoMay("update_port", port) == "Asf")
        // An instance's port is for Nova, or for who brings Nova's token along.
        let instance = port.merging(["device_owner": "compute:nova"]) { $1 }
        #expect(try whoMay("delete_port", instance) == "As")
        var attached = member
        attached.serviceRoles = ["service"]
        #expect(try allows("delete_port", attached, instance))
        #expect(try whoMay("create_port:device_owner", ["device_owner": "network:dhcp", "network": ["project_id": "x"]]) == "As")
    }

    @Test("Only administrators share with every project") func wildcard() throws {
        #expect(try whoMay("create_rbac_policy:target_tenant", ["target_tenant": "*"]) == "A")
        #expect(try whoMay("create_rbac_policy:target_tenant", ["target_tenant": "q"]) == "AMmrsfn")
        #expect(try whoMay("update_rbac_policy:target_project", ["target_project": "*"]) == "A")
    }

    @Test("Who is of no project owns nothing, not even what belongs to none") func noProject() throws {
        var unscoped = member
        unscoped.projectID = ""
        #expect(try !allows("get_port", unscoped, ["project_id": "", "network": ["project_id": ""]]))
    }

    @Test("Tokens of the system and of domains are for operations of no project") func scopes() throws {
        var system = admin
        system.isSystemScoped = true
        let rules = CallerRules(.defaults, for: CallerProfile(system))
        #expect(rules["get_network"] == .never)
        #expect(rules.isAdmin)
        let refusal = rules.refusal(PolicyAction("get_network"))
        #expect(refusal.type == "InvalidScope")
        #expect(refusal.message == "rule:get_network requires a scope of ['project'], request was made with system scope.")
        var domain = admin
        domain.domainID = "d"
        #expect(CallerRules(.defaults, for: CallerProfile(domain))["create_port"] == .never)
    }
}

@Suite("Rules of an operator") struct PolicyOverrideTests {
    @Test("A rule of a file takes the default's place, and further ones may be used by it") func overrides() throws {
        let rules = try PolicyRules(overrides: [
            "create_network": "rule:network_makers and project_id:%(project_id)s", "network_makers": [["role:maker"], ["role:Admin"]],
        ])
        #expect(try whoMay("create_network", ["project_id": "p"], in: rules) == "A")
        let maker = Caller(projectID: "p", isAdmin: false, roles: ["maker"])
        #expect(try allows("create_network", maker, ["project_id": "p"], in: rules))
        #expect(rules["create_network"]?.defaultCheck != nil && rules["network_makers"]?.defaultCheck == nil)
        #expect(rules["create_network"]?.needsProjectScope == true)
    }

    @Test("Another rule can make administrators") func administrators() throws {
        let rules = try PolicyRules(overrides: ["context_is_admin": "role:admin or role:network_admin"])
        let caller = Caller(projectID: "x", isAdmin: false, roles: ["network_admin"])
        #expect(CallerRules(rules, for: CallerProfile(caller)).isAdmin)
        #expect(try allows("create_network:shared", caller, [:], in: rules))
        let flag = try PolicyRules(overrides: ["get_agent": "is_admin:True"])
        #expect(try whoMay("get_agent", [:], in: flag) == "A")
    }

    @Test("Administrators can be those of the administrators' project") func adminProject() throws {
        let rules = try PolicyRules(overrides: ["context_is_admin": "role:admin and is_admin_project:True"])
        var other = admin
        other.isAdminProject = false
        #expect(CallerRules(rules, for: CallerProfile(admin)).isAdmin)
        #expect(!CallerRules(rules, for: CallerProfile(other)).isAdmin)
        #expect(try !allows("get_agent", other, in: rules))
    }

    @Test("Users, literals and lists of credentials can be asked for") func generic() throws {
        let rules = try PolicyRules(overrides: [
            "x": "user_id:%(user_id)s", "y": "'web':%(name)s", "z": "roles:reader and not service_roles:service", "w": "True:%(shared)s",
        ])
        #expect(try allows("x", member, ["user_id": "c"], in: rules))
        #expect(try !allows("x", member, ["user_id": "d"], in: rules))
        #expect(try !allows("x", member, [:], in: rules))
        #expect(try allows("y", nobody, ["name": "web"], in: rules))
        #expect(try allows("z", reader, [:], in: rules))
        #expect(try allows("w", nobody, ["shared": true], in: rules))
    }

    @Test("What nothing can decide never passes, nor does its opposite, and a warning names it") func unknown() throws {
        let rules = try PolicyRules(overrides: [
            "a": "http://example.org/%(id)s", "b": "not token.domain.id:default", "c": "rule:missing or role:reader", "d": "not rule:b",
        ])
        #expect(try whoMay("a", [:], in: rules) == "")
        #expect(try whoMay("b", [:], in: rules) == "")
        #expect(try whoMay("d", [:], in: rules) == "")
        // A rule that does not exist is decided by `default`, as in oslo.policy.
        #expect(try whoMay("c", ["project_id": "q"], in: rules) == "AMmrf")
        #expect(rules.warnings.contains { $0.contains("'http://example.org/%(id)s'") })
        #expect(rules.warnings.contains { $0.contains("token.domain.id:default") })
        #expect(rules.warnings.contains { $0.contains("rule:missing") })
    }

    @Test("A field that no resource has is what nothing can decide") func unknownFields() throws {
        let rules = try PolicyRules(overrides: [
            "a": "not field:networks:nmae=x", "b": "not field:networks:name=x", "c": "not field:port:router:external=True",
            "d": "not field:rbac_policy:target_project=*",
        ])
        #expect(try whoMay("a", ["name": "y"], in: rules) == "")
        #expect(try whoMay("b", ["name": "y"], in: rules) == "AMmrsfn")
        #expect(rules.warnings.count == 1 && rules.warnings.first?.contains("field:networks:nmae=x") == true)
    }

    @Test("A pattern matches at the beginning of a text, and its characters are Python's") func patterns() throws {
        let rules = try PolicyRules(overrides: ["a": "field:networks:name=~net|lan", "b": "field:networks:name=~^e.x$"])
        for (name, expected) in [("network", true), ("lan1", true), ("my-net", false), ("", false)] {
            #expect(try allows("a", reader, ["name": .string(name)], in: rules) == expected, "\(name)")
        }
        // An e and a combining accent are two of them, though people see one.
        #expect(try allows("b", reader, ["name": "e\u{301}x"], in: rules))
        #expect(try !allows("b", reader, ["name": "\u{e9}x"], in: rules))
        #expect(try PolicyParser.parse("field:networks:name=~a") == PolicyParser.parse("field:networks:name=~a"))
    }

    @Test("A rule that is to hide something and cannot is warned of") func idle() throws {
        let used = [
            "get_port:name", "get_port:binding:host_id", "get_policy_bandwidth_limit_rule:max_kbps", "get_port_binding:profile",
            "get_floatingip_port_forwarding:protocol", "get_router:external_gateway_info", "get_trunk:sub_ports",
            "create_port:nothing", "get_port:resource_request",
        ]
        #expect(try PolicyRules(overrides: Dictionary(uniqueKeysWithValues: used.map { ($0, "!") })).warnings == [])
        let idle = [
            "get_port:nmae": "has no attribute 'nmae'", "get_prot:name": "no resource 'prot'",
            "get_router:external_gateway_info:network_id": "'external_gateway_info' is shown whole",
        ]
        for (name, mention) in idle {
            let warnings = try PolicyRules(overrides: [name: "!"]).warnings
            #expect(warnings.count == 1 && warnings.first?.contains(mention) == true, "\(warnings)")
        }
    }

    @Test("Rules that lead back to themselves, and those that cannot be read, are refused by name") func broken() {
        let cycle = #expect(throws: PolicyRuleError.self) { try PolicyRules(overrides: ["a": "rule:b", "b": "not rule:a"]) }
        #expect(cycle?.description.contains("a, b, a") == true)
        // A long way is none that leads back.
        var way = Dictionary(uniqueKeysWithValues: (1..<32).map { ("way\($0)", JSONValue.string("rule:way\($0 + 1)")) })
        way["way32"] = "role:reader"
        #expect(throws: Never.self) { try PolicyRules(overrides: way) }
        way["way32"] = "rule:way33"
        way["way33"] = "role:reader"
        let long = #expect(throws: PolicyRuleError.self) { try PolicyRules(overrides: way) }
        #expect(long?.rule == "way1" && long?.reason.hasPrefix("it leads through more than 32 rules: way1, way2, ") == true)
        // Who is an administrator is what the rule says, and not what it asks for.
        let flag = #expect(throws: PolicyRuleError.self) {
            try PolicyRules(overrides: ["context_is_admin": "role:admin or rule:a", "a": "is_admin:True"])
        }
        #expect(flag?.description.contains("leads back to itself") == true)
        let unreadable = #expect(throws: PolicyRuleError.self) { try PolicyRules(overrides: ["get_port": "role:a and"]) }
        #expect(unreadable?.rule == "get_port")
    }
}

@Suite("What is left of rules") struct CallerRulesTests {
    @Test("Roles are decided, and what is left speaks of the target") func reduction() throws {
        let rules = CallerRules(.defaults, for: CallerProfile(member))
        #expect(rules["get_port"] == .any([.owner(field: "network:project_id"), .owner(field: "project_id")]))
        #expect(rules["get_port:binding:host_id"] == .never)
        #expect(CallerRules(.defaults, for: CallerProfile(admin))["get_port"] == .always)
        #expect(CallerRules(.defaults, for: CallerProfile(nobody))["get_port"] == .never)
    }

    @Test("Attributes that follow from seeing the resource are hidden from nobody who sees it") func hidden() throws {
        let hidden = CallerRules(.defaults, for: CallerProfile(member)).hiddenAttributes(of: "port")
        #expect(hidden["binding:host_id"] == .never && hidden["binding:profile"] == .never)
        #expect(hidden["tags"] == nil)
        #expect(CallerRules(.defaults, for: CallerProfile(admin)).hiddenAttributes(of: "port").isEmpty)
        // A service sees every port, and its tags when it owns them.
        #expect(CallerRules(.defaults, for: CallerProfile(service)).hiddenAttributes(of: "port")["tags"] == .never)
        #expect(CallerRules(.defaults, for: CallerProfile(member)).hiddenAttributes(of: "network").count == 5)
    }

    @Test("A project's two names are hidden together") func twins() throws {
        for name in ["project_id", "tenant_id"] {
            let rules = CallerRules(try PolicyRules(overrides: ["get_network:\(name)": "role:auditor"]), for: CallerProfile(member))
            #expect(rules.hiddenAttributes(of: "network")["project_id"] == .never, "\(name)")
            #expect(rules.hiddenAttributes(of: "network")["tenant_id"] == .never, "\(name)")
        }
        let both = try PolicyRules(overrides: ["get_network:project_id": "project_id:%(id)s", "get_network:tenant_id": "role:auditor"])
        #expect(CallerRules(both, for: CallerProfile(member)).hiddenAttributes(of: "network")["project_id"] == .never)
        #expect(CallerRules(.defaults, for: CallerProfile(member)).hiddenAttributes(of: "network")["project_id"] == nil)
    }

    @Test("Who makes what it does not see is shown the attributes that its rules let it see only") func unseen() throws {
        let rules = CallerRules(.defaults, for: CallerProfile(nobody))
        #expect(rules.hiddenAttributes(of: "port").isEmpty && !rules.seesOwn("port"))
        #expect(rules.guardedAttributes(of: "port")["binding:host_id"] == .never)
        #expect(CallerRules(.defaults, for: CallerProfile(member)).seesOwn("port"))
        #expect(CallerRules(.defaults, for: CallerProfile(admin)).guardedAttributes(of: "port")["tags"] == nil)
    }

    @Test("A refusal names the operation and every attribute that was asked for") func refusals() {
        let rules = CallerRules(.defaults, for: CallerProfile(member))
        #expect(rules.refusal(PolicyAction("create_network")).message == "rule:create_network is disallowed by policy")
        #expect(
            rules.refusal(PolicyAction("create_network", attributes: [.init("shared")])).message
                == "(rule:create_network and rule:create_network:shared) is disallowed by policy")
        let action = PolicyAction(
            "create_port", attributes: [.init("mac_address"), .init("fixed_ips", parts: ["ip_address", "subnet_id"])])
        #expect(
            action.text == "((rule:create_port and rule:create_port:mac_address) and (rule:create_port:fixed_ips and "
                + "(rule:create_port:fixed_ips:ip_address and rule:create_port:fixed_ips:subnet_id)))")
        #expect(action.ruleNames.count == 5)
    }

    @Test("Nobody is asked on the server's own account") func unrestricted() {
        let rules = CallerRules(.defaults, for: CallerProfile(.server))
        #expect(rules["anything"] == .always && rules.isAdmin && rules.hiddenAttributes(of: "port").isEmpty)
    }

    @Test("An explanation names the part that failed, and what it compared") func explanation() throws {
        let explanation = try PolicyExplanation("update_network", .defaults, caller: foreigner, target: WrittenTarget(["project_id": "p"]))
        #expect(!explanation.isAllowed)
        #expect(explanation.lines[0].hasPrefix("fails   update_network = rule:admin_only or role:member and project_id:%(project_id)s"))
        #expect(explanation.lines.contains { $0.contains("passes  role:member") })
        #expect(explanation.lines.contains { $0.contains("fails   project_id:%(project_id)s  (caller: 'q', target: 'p')") })
        let own = try PolicyExplanation("update_network", .defaults, caller: foreigner, target: WrittenTarget(["tenant_id": "q"]))
        #expect(own.isAllowed)
    }

    @Test("An explanation says of a rule and of each part what a server decides") func explanationDecides() throws {
        let rules = try PolicyRules(overrides: [
            "undecided": "http://example.org/x", "a": "not rule:undecided", "b": "not (rule:undecided and role:reader)",
            "chief": "role:manager", "context_is_admin": "rule:chief", "c": "is_admin:True", "d": "not is_admin:False", "e": "rule:missing",
            "f": "not rule:c", "g": "not (rule:undecided or role:member)",
        ])
        let target: [String: JSONValue] = ["project_id": "p"]
        for caller in [admin, manager, member, reader, service, foreigner, nobody] {
            for rule in rules.names {
                let explanation = try PolicyExplanation(rule, rules, caller: caller, target: WrittenTarget(target))
                let isAllowed = try allows(rule, caller, target, in: rules)
                #expect(explanation.isAllowed == isAllowed, "\(rule) for \(caller.roles.sorted())")
                #expect(explanation.lines[1].hasPrefix(isAllowed ? "  passes" : "  fails"), "\(explanation.lines)")
            }
        }
        // What an administrator is comes from the rule, two rules away.
        let chief = try PolicyExplanation("c", rules, caller: manager, target: WrittenTarget([:]))
        #expect(chief.isAllowed && chief.lines[1] == "  passes  is_admin:True  (is_admin against 'True')")
        let undecided = try PolicyExplanation("a", rules, caller: admin, target: WrittenTarget([:]))
        #expect(!undecided.isAllowed && undecided.lines.last == "      fails   http://example.org/x  (nothing here can decide it)")
    }
}
