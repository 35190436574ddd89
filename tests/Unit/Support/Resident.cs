using System.Globalization;

namespace Sway.Unit.Support;

/// <summary>What the system says is in memory, on Linux.</summary>
internal static unsafe class Resident
{
    /// <summary>Resident bytes of the mapping that an address lies in.</summary>
    public static long Bytes(void* address)
    {
        bool found = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            string first = line[..line.IndexOf(' ', StringComparison.Ordinal)];
            if (!first.EndsWith(':'))
            {
                ulong[] range = [.. first.Split('-').Select(number => ulong.Parse(number, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
                found = (ulong)address >= range[0] && (ulong)address < range[1];
            }
            else if (found && first == "Rss:")
            {
                return 1024 * long.Parse(line["Rss:".Length..].Replace("kB", string.Empty, StringComparison.Ordinal), CultureInfo.InvariantCulture);
            }
        }

        return 0;
    }
}
