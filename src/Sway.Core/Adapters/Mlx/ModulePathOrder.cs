using System.Globalization;

namespace Sway.Adapters.Mlx;

/// <summary>Orders module paths as people do: layer 2 before layer 10. mlx writes tensors in the order of a hash table,
/// which would make outputs differ from machine to machine.</summary>
internal static class ModulePathOrder
{
    public static int Compare(string left, string right)
    {
        string[] a = left.Split('.');
        string[] b = right.Split('.');
        for (int i = 0; i < Math.Min(a.Length, b.Length); i++)
        {
            bool numbers = int.TryParse(a[i], NumberStyles.None, CultureInfo.InvariantCulture, out int x)
                & int.TryParse(b[i], NumberStyles.None, CultureInfo.InvariantCulture, out int y);
            int order = numbers ? x.CompareTo(y) : string.CompareOrdinal(a[i], b[i]);
            if (order != 0)
            {
                return order;
            }
        }

        return a.Length.CompareTo(b.Length);
    }
}
