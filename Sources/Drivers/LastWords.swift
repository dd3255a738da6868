/// What a daemon said before it ended, as a failure repeats it: without what differs between two ends for one reason, the time and the number of
/// the process, so that the failure stays the same.
enum LastWords {
    static let maximumLines = 8
    static let maximumBytes = 800

    /// The end of a log in one line; nil when there is nothing in it.
    static func of(_ log: String) -> String? {
        let lines = log.split(whereSeparator: \.isNewline).suffix(maximumLines).map { lasting(String($0)) }.filter { !$0.isEmpty }
        guard !lines.isEmpty else { return nil }
        return String(decoding: lines.joined(separator: "; ").utf8.suffix(maximumBytes), as: UTF8.self)
    }

    /// A text without dates, as ctime(3) writes them, and without process ids.
    static func lasting(_ text: String) -> String {
        let words = text.split(separator: " ")
        guard words.contains(where: { weekdays.contains($0) || $0.hasPrefix("pid") }) else { return text }
        var kept: [Substring] = []
        var index = words.startIndex
        while index < words.endIndex {
            if isDate(words[index...]) {
                index += dateWords
                continue
            }
            let isProcess = words[index].allSatisfy(\.isNumber) && kept.last == "pid"
            if !isProcess { kept.append(words[index].hasPrefix("pid=") ? "pid" : words[index]) }
            index += 1
        }
        return kept.joined(separator: " ")
    }

    private static let weekdays: Set<Substring> = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    private static let dateWords = 5

    /// "Mon Nov 23 00:43:33 2026:", with or without the colon.
    private static func isDate(_ words: ArraySlice<Substring>) -> Bool {
        guard words.count >= dateWords, let first = words.first, weekdays.contains(first) else { return false }
        let rest = Array(words.prefix(dateWords))
        let time = rest[3].split(separator: ":")
        return Int(rest[2]) != nil && time.count == 3 && time.allSatisfy { $0.count == 2 && Int($0) != nil }
            && Int(rest[4].prefix { $0 != ":" }) != nil
    }
}
