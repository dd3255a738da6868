extension Timestamp {
    /// Parses what ISO 8601 writes for a moment: a date, perhaps with a time, perhaps with its distance from UTC. A date alone is its midnight,
    /// fractions of a second are cut off, and what does not name its distance is UTC.
    public init?(iso8601 text: String) {
        let date = text.prefix(10)
        let rest = text.dropFirst(10)
        guard let separator = rest.first else {
            self.init("\(date)T00:00:00")
            return
        }
        guard separator == "T" || separator == " " else { return nil }
        let clock = rest.dropFirst()
        let end = clock.firstIndex(where: "Z+-".contains) ?? clock.endIndex
        let parts = clock[..<end].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let time = parts[0].count == 5 ? "\(parts[0]):00" : String(parts[0])
        guard parts.dropFirst().allSatisfy(Self.isNumber), let local = Timestamp("\(date)T\(time)"),
            let distance = Self.secondsFromUTC(clock[end...])
        else { return nil }
        self.init(secondsSince1970: local.secondsSince1970 - distance)
    }

    /// `Z`, `+02:00`, `+0200`, `-02`, or nothing.
    private static func secondsFromUTC(_ text: Substring) -> Int? {
        guard let sign = text.first, text != "Z" else { return 0 }
        let digits = text.dropFirst().filter { $0 != ":" }
        guard sign != "Z", digits.count == 2 || digits.count == 4, isNumber(digits[...]), let hours = Int(digits.prefix(2)) else {
            return nil
        }
        let seconds = hours * 3600 + (Int(digits.dropFirst(2)) ?? 0) * 60
        return sign == "-" ? -seconds : seconds
    }

    private static func isNumber(_ text: Substring) -> Bool { !text.isEmpty && text.allSatisfy { ("0"..."9").contains($0) } }
}
