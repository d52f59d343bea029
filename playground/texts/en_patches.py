"""English: the Patches tab."""

TEXTS = {
    "patches": "Patches",
    "patches_lead": (
        "From pixels to tokens and on to meaning: follow one picture through the chosen model, step by step."
    ),
    "play": "Play",
    "pause": "Pause",
    "place": "row {row}, column {col}",
    # 1
    "part_patchify": "Cut",
    "part_patchify_title": "How a picture becomes a sequence",
    "part_patchify_more": (
        "A transformer reads a row of vectors, not a picture. Press ▶ or choose a step; click a patch to see what it "
        "becomes, or type its row and column."
    ),
    "patchify_steps": "The steps from pixels to tokens",
    "patchify_alt": "The way from pixels to tokens: {steps}",
    "patch_pixels": "{high} × {wide} pixels",
    "patch_embedding": "What it becomes: {count} numbers",
    "patch_position_row": "Position: {kind}",
    "patch_sum": "Their sum: what the first block reads",
    "patch_alt": "The pixels of the patch in row {row}, column {col}, and the {count} numbers it becomes",
    "patch_same": (
        "The convolution, and one matrix times every cut-out window, give the same {count:,} numbers here "
        "({rows} × {cols} windows), {difference}."
    ),
    "patch_equal": "bit for bit in double precision",
    "patch_rounding": "the largest difference is {value:.1e}, which is rounding in double precision",
    "positions_table": "learned table",
    "positions_sine": "sines",
    "positions_relative": "relative",
    "positions_rope": "rotary",
    "positions_none": "none",
    # 2
    "part_filters": "Filters",
    "part_filters_title": "What the first layer looks for",
    "part_filters_more": (
        "Every number of a patch is how well the pixels fit one learned filter. Grey is zero. A trained model has "
        "filters for edges, colours and waves, and a few components span most of them (ViT paper, figure 7)."
    ),
    "filter_number": "filter {number}",
    "filters_all": "All {count} filters of {high} × {wide} pixels, on one scale.",
    "filters_some": "The first {shown} of {count} filters of {high} × {wide} pixels, on one scale.",
    "component": "component {number}: {share}",
    "filters_components": "Their first {count} principal components explain {share}; each on its own scale.",
    # 3
    "part_positions": "Positions",
    "part_positions_title": "How the model knows where a patch is",
    "part_positions_more": (
        "Attention alone does not know what is beside what: a model has to be told. Models differ in how they are told."
    ),
    "positions_help_table": "Each small picture shows how alike one place is to all others; click one to see it large.",
    "positions_help_sine": "Each small picture shows how alike one place is to all others; click one to see it large.",
    "positions_help_rope": "Each small picture shows how alike one place is to all others; click one to see it large.",
    "positions_help_head": (
        "A tile is one head: how much it adds for every offset, from dark to bright, with no offset in the middle. "
        "The slider goes through the blocks; below is the mean of all heads of the last one."
    ),
    "positions_help_channel": (
        "A tile compares every two offsets, from dark to bright as their vectors are alike: a broad diagonal means "
        "that offsets side by side have like vectors. The slider goes through the blocks; below is how long the last "
        "vectors are."
    ),
    "positions_help_none": "",
    "positions_kind": "Kind of position",
    "positions_alt": "Likeness of the position of every place to all others, on a grid of {rows} × {cols}",
    "position_alt": "Likeness of the position in row {row}, column {col} to all others",
    "positions_relative_alt": "What is learned for every offset, as tiles; a slider chooses the block",
    "positions_vectors_alt": "How long the learned vector of every offset is, for columns and for rows",
    "positions_structure": "Mean likeness by distance",
    "positions_structure_alt": "How alike two positions are by how many rows or columns they are apart",
    "positions_apart": "places apart",
    "positions_offset": "offset",
    "positions_bias_alt": "The mean learned bias by offset, {name}",
    "apart_rows": "rows apart",
    "apart_cols": "columns apart",
    "bias_mean": "mean bias of all heads",
    "resolution": "Another resolution",
    "resolution_more": (
        "The same weights can read a larger or smaller picture: {how}. "
        "Move the slider and let go; the model then answers again, often less surely, as it was not trained for this."
    ),
    "resolution_table": "the position table is interpolated in two dimensions",
    "resolution_sine": "the sines are computed anew for the other grid",
    "resolution_rope": "the rotations are computed anew for the other grid",
    "resolution_head": "the tables of biases are interpolated in two dimensions",
    "resolution_channel": "a shorter line uses the middle of a table, a longer one stretches it",
    "resolution_none": "there is no table of positions to change",
    "resolution_side": "Shorter side of the picture in pixels",
    "resolution_at": "at {cols} × {rows}",
    "resolution_no_answer": "This model names nothing, or found nothing, so there is no answer to compare.",
    # 4
    "part_depth": "Layers",
    "part_depth_title": "What a patch means, layer by layer",
    "part_depth_more": (
        "The three directions in which the tokens differ most become red, green and blue: equal colours, alike tokens. "
        "Press ▶ to go through the layers."
    ),
    "levels_picture": "What the model saw",
    "levels_colours": "Components as colours",
    "levels_component": "PCA {{number}}: {{share}}",
    "levels_alt": "The first three principal components of the tokens as colours, for {layers} layers",
    "levels_one_fit": "One fit for all layers, so that colours can be compared.",
    "levels_fits": "Layers of equal width share a fit, so that their colours can be compared; others cannot.",
    "levels_fit": "{span}: three of {width} directions explain {share}.",
    "levels_span": "{first} to {last}",
    "cloud": "The tokens as a cloud",
    "cloud_more": (
        "The same components as places: every dot is a patch, alike patches lie together. Drag to turn, or use the "
        "arrow keys; point at a patch to see it large."
    ),
    "cloud_components": "Colour by components",
    "cloud_classes": "Colour by class",
    "cloud_save": "Save picture",
    "cloud_alt": "The tokens of one layer as a cloud of patches; alike patches lie together",
    "cloud_place": "row {{row}}, column {{col}}",
    "cloud_how_label": "Placed by (neighbours can take half a minute)",
    "cloud_how": "A cloud is made by one of {ways}.",
    "cloud_pca": "Components (PCA)",
    "cloud_tsne": "Neighbours (t-SNE)",
    "cloud_umap": "Neighbours (UMAP)",
    "cloud_neighbours": "Only {name} is shown: near patches are neighbours, far distances mean nothing.",
    "cloud_others": "other classes",
    "cloud_classes_about": (
        "The frame’s colour is the best class when the model’s head reads that patch alone, after this layer. "
        "The head was trained to read the last layer."
    ),
    "cloud_classes_some": "Layers of another width cannot be read by the head and stay grey.",
    "cloud_components_only": "The frames show the components instead.",
    "norms": "Length of the tokens",
    "norms_layer": "layer",
    "norms_alt": "The length of patch tokens and of the tokens before them, through the layers",
    "norm_middle": "patches, median",
    "norm_longest": "longest patch",
    "cka": "Alike layers (CKA)",
    "cka_alt": "How alike the tokens of every two layers are",
    # 5
    "part_likeness": "Alike",
    "part_likeness_title": "Which patches are alike",
    "part_likeness_more": (
        "Click a patch: bright patches have tokens that point the same way. In a good model the same parts of things "
        "are alike, also in another picture."
    ),
    "likeness": "Like one patch",
    "parts": "Parts (k-means)",
    "likeness_how_label": "Show",
    "likeness_how": "Choose one of like and parts.",
    "likeness_alt": "Cosine similarity of all patches to the one in row {row}, column {col}, {name}",
    "likeness_other_alt": "Similarity in the other picture; the best match is in row {row}, column {col}, {value:z.2f}",
    "likeness_scale": "Cosine similarity, dark {low:z.2f} to bright {high:z.2f}.",
    "likeness_match": "Best match in the other picture: row {row}, column {col}, {value:z.2f}.",
    "after_layer": "After {name}, on a grid of {rows} × {cols}.",
    "clusters": "Number of parts",
    "parts_alt": "{count} parts that k-means finds in the tokens after {name}",
    "parts_said": "{count} parts, found without any label: patches of one colour have alike tokens.",
    "parts_both": "{count} parts of both pictures together: equal colours are the same part.",
    "nearest_this": "The patch and those most like it",
    "nearest_other": "Most like it in the other picture",
    "second": "Compare with a second picture",
    "second_picture": "Second picture",
    "second_alt": "The second picture, whose patches are compared with the first",
    "second_sample": "Or one of the examples",
    # 6
    "part_twin": "Two models",
    "part_twin_title": "The same picture, two models",
    "part_twin_more": "The same colours and the same click for a second model, at equal depth.",
    "twin_model": "Second model",
    "twin_alt": "The tokens of two models as colours, side by side, at equal depth",
    "twin_depth": "{share} of the depth",
    "twin_joint": "Both models have {width} channels, so one fit gives the colours of both.",
    "twin_own": (
        "The models have different channels, so each has its own fit; signs are turned to agree, hues still need not."
    ),
    "twin_click": "Click a patch in either picture: both models show what is like it after their last layer.",
    # files
    "patches_leaving": "Take it along",
    "leaving_layer": "Tokens of",
    "figures_png": "Figures shown (PNG)",
    "figures_html": "Figures shown (HTML)",
    "tokens_npz": "Tokens (npz)",
    "tokens_html": "Cloud (HTML)",
    "tokens_projector": "Projector files (zip)",
    "tokens_nothing": "There are no tokens to take along yet; choose a picture first.",
    "tokens_kind": "Tokens can be written as one of {kinds}.",
    "tokens_call": "The Python that makes these tokens",
}
