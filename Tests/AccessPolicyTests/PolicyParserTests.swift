import APISchema
import AccessPolicy
import Testing

@Suite("The language of rules") struct PolicyParserTests {
    @Test(
        "Not binds closest, then and, then or; brackets decide otherwise",
        arguments: [
            ("role:a or role:b and role:c", "role:a or (role:b and role:c)"),
            ("role:a and role:b or role:c", "(role:a and role:b) or role:c"),
            ("(role:a or role:b) and role:c", "(role:a or role:b) and role:c"),
            ("not role:a and role:b", "not role:a and role:b"),
            ("not (role:a and role:b)", "not (role:a and role:b)"),
            ("not not role:a", "not not role:a"),
            ("((role:a))", "role:a"),
            ("role:a OR role:b AND NOT role:c", "role:a or (role:b and not role:c)"),
            ("role:a or role:b or role:c", "role:a or role:b or role:c"),
            ("  role:a\n or\trole:b ", "role:a or role:b"),
            ("(role:a and (role:b or not role:c))", "role:a and (role:b or not role:c)"),
        ])
    func precedence(_ text: String, _ expected: String) throws {
        let check = try PolicyParser.parse(text)
        #expect(Self.bracketed(check) == expected)
        // What is printed means the same when it is read again.
        #expect(try PolicyParser.parse(check.description) == check)
    }

    /// With brackets around each `and` within an `or`, so that the tree shows.
    private static func bracketed(_ check: PolicyCheck) -> String {
        func operand(_ check: PolicyCheck) -> String {
            switch check {
            case .all, .any: "(\(bracketed(check)))"
            default: bracketed(check)
            }
        }
        switch check {
        case .any(let parts): return parts.map(operand).joined(separator: " or ")
        case .all(let parts): return parts.map(operand).joined(separator: " and ")
        case .not(let part): return "not " + operand(part)
        default: return check.description
        }
    }

    @Test("Each kind of check is read") func kinds() throws {
        #expect(try PolicyParser.parse("") == .always)
        #expect(try PolicyParser.parse("@") == .always)
        #expect(try PolicyParser.parse("!") == .never)
        #expect(try PolicyParser.parse("rule:owner") == .rule("owner"))
        #expect(try PolicyParser.parse("role:Admin") == .role(PolicyTemplate(parts: [.text("Admin")])))
        #expect(try PolicyParser.parse("project_id:%(project_id)s") == .owner(field: "project_id"))
        #expect(try PolicyParser.parse("tenant_id:%(tenant_id)s") == .owner(field: "project_id"))
        #expect(try PolicyParser.parse("tenant_id:%(network:tenant_id)s") == .owner(field: "network:project_id"))
        #expect(try PolicyParser.parse("tenant_id:%(network_tenant_id)s") == .owner(field: "network:project_id"))
        #expect(try PolicyParser.parse("tenant_id:%(ext_parent:tenant_id)s") == .owner(field: "ext_parent:project_id"))
        #expect(
            try PolicyParser.parse("field:networks:router:external=True")
                == .field(PolicyField(resource: "networks", name: "router:external", expectation: .value("True"))))
        #expect(
            try PolicyParser.parse("field:port:device_owner=~^network:")
                == .field(PolicyField(resource: "port", name: "device_owner", expectation: .pattern(PolicyPattern("^network:")))))
        #expect(
            try PolicyParser.parse("user_id:%(user_id)s")
                == .equal(.credential(.userID), PolicyTemplate(parts: [.field("user_id")])))
        #expect(
            try PolicyParser.parse("'Member':%(role.name)s")
                == .equal(.literal("Member"), PolicyTemplate(parts: [.field("role.name")])))
        #expect(try PolicyParser.parse("True:%(shared)s") == .equal(.literal("True"), PolicyTemplate(parts: [.field("shared")])))
        #expect(
            try PolicyParser.parse("is_admin:True") == .equal(.credential(.isAdmin), PolicyTemplate(parts: [.text("True")])))
        #expect(
            try PolicyParser.parse("user_id:a-%(x)s-100%%")
                == .equal(.credential(.userID), PolicyTemplate(parts: [.text("a-"), .field("x"), .text("-100%")])))
        #expect(try PolicyParser.parse("token.project.domain.id:default") == .unknown("token.project.domain.id:default"))
        #expect(try PolicyParser.parse("http://example.org/%(id)s") == .unknown("http://example.org/%(id)s"))
    }

    @Test("The older lists of lists are an or of ands") func lists() throws {
        #expect(try PolicyParser.parse([]) == .always)
        #expect(try PolicyParser.parse([["role:a", "role:b"], "role:c"]) == PolicyParser.parse("role:a and role:b or role:c"))
        #expect(try PolicyParser.parse([["rule:x"]]) == .rule("x"))
        #expect(try PolicyParser.parse([[]]) == .never)
    }

    @Test(
        "What is no rule is refused, and the reason names it",
        arguments: [
            ("role:a role:b", "role:b"), ("role:a and", "ends"), ("(role:a", ")"), ("role:a)", ")"), ("and role:a", "and"),
            ("nonsense", "nonsense"),
            ("'text'", "'text'"), ("field:networks", "field:networks"), ("user_id:%(x", "%(x"), ("field:port:name=~[", "["),
            (String(repeating: "(", count: 40) + "@" + String(repeating: ")", count: 40), "32"),
        ])
    func refusals(_ text: String, _ mention: String) {
        let error = #expect(throws: PolicySyntaxError.self) { try PolicyParser.parse(text) }
        #expect(error?.description.contains(mention) == true)
    }

    @Test("A number or an object is no rule") func wrongTypes() {
        for value: JSONValue in [1, true, nil, ["a": "b"], [1], [["role:a", 2]]] {
            #expect(throws: PolicySyntaxError.self) { try PolicyParser.parse(value) }
        }
    }
}
